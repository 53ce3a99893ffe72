"""`laptop-cloud drill`: bad days of a fleet with real programs, each with its check and its price."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from contract.errors import BadInput
from contract.fleet import laptop_folder

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Of drills; `all` plays each.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Draws victims and moments; default: printed.")]
Times = Annotated[int, typer.Option(min=1, max=1000, help="Seeds to play each with, from --seed on.")]
Parallel = Annotated[int, typer.Option(min=1, max=16, help="Drills side by side.")]


def add_drill(app: typer.Typer) -> None:
    """Give the command to the program."""
    app.command("drill")(drill)


def drill(
    names: Names = None,
    seed: Seed = None,
    times: Times = 1,
    parallel: Parallel = 1,
    is_list: Annotated[bool, typer.Option("--list", help="Say what there is, and play nothing.")] = False,
) -> None:
    """Play bad days on a fleet of local machines, and check that nothing is lost and nothing done twice.

    Each ends with asked = committed + explained, each tile committed once, the bytes of an undisturbed run, and no
    innocent tile charged; then a table says what it cost. Exit status 1 when a law is broken: seed, tile, its history
    and the folder of the logs are printed.

    Example: laptop-cloud drill eviction-without-notice --seed 7
    """
    from laptop_cloud.drills.catalogue import DRILLS, choose  # noqa: PLC0415
    from laptop_cloud.drills.perform import perform  # noqa: PLC0415

    if is_list:
        for one in DRILLS:
            print(f"{one.name}\n    {one.lesson}")
        return
    if not names:
        raise BadInput("drill needs a name, or `all`: `--list` says what there is")
    first = secrets.randbelow(10**6) if seed is None else seed
    wanted = [(one, first + turn) for turn in range(times) for one in choose(names)]
    if not perform(laptop_folder(os.environ, Path.cwd()).absolute(), wanted, parallel):
        raise typer.Exit(1)
