"""`fleetctl local`: a cloud on this machine, and how other programs find it."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from fleetctl.cli_common import named_exits, say_target

group = typer.Typer(
    help="A cloud on this machine: real storage protocols, local machines.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@group.command()
@named_exits()
def up(
    vms: Annotated[
        int,
        typer.Option("--vms", min=0, max=64, metavar="N", help="VMs to start; 0: the controller makes all."),
    ] = 3,
    most_machines: Annotated[
        int,
        typer.Option(
            "--max-machines",
            min=1,
            max=1000,
            metavar="N",
            help="Most that the controller may make; hollow above eight.",
        ),
    ] = 8,
    is_fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs stored.")] = False,
) -> None:
    """Run a laptop cloud until Ctrl-C: storage, imagery, Resource Manager, and N machines with a worker each.

    Commands in other terminals find it by themselves. What was stored is there again next time.

    Example: fleetctl local up --vms 0
    """
    from fleetctl.laptop import run_laptop_cloud

    words = ["--vms", str(vms), "--max-machines", str(most_machines), *(["--fresh"] if is_fresh else [])]
    if status := run_laptop_cloud(["up", *words]):
        raise typer.Exit(status)


@group.command()
@named_exits()
def env() -> None:
    """Print the variables by which programs outside this folder find the laptop cloud that runs, for a shell.

    Example: eval "$(fleetctl local env)"
    """
    import os
    from pathlib import Path

    from contract.fleet import FLEET_VARIABLE, LAPTOP_VARIABLE, laptop_folder

    fleet = say_target("laptop")
    variables = {
        LAPTOP_VARIABLE: str(laptop_folder(os.environ, Path.cwd()).absolute()),
        FLEET_VARIABLE: fleet.name,
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
