"""`fleetctl drill`: rehearse bad days on this machine. The laptop cloud plays them, as a child process."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetctl.cli_common import named_exits


@named_exits()
def drill(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Of drills; `all` plays each.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, metavar="N", help="Draws victims and moments; default: printed."),
    ] = None,
    times: Annotated[
        int, typer.Option("--times", min=1, metavar="N", help="Seeds to play each with, from --seed on.")
    ] = 1,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, max=16, metavar="N", help="Drills side by side.")
    ] = 1,
    is_list: Annotated[bool, typer.Option("--list", help="Say what there is, and play nothing.")] = False,
) -> None:
    """Play bad days on machines of a laptop cloud of their own: evictions, crashes, sick disks, storage trouble.

    Ends with status 0 when nothing was lost, nothing done twice and nobody blamed; 1 when a law was broken, with
    the seed that repeats it. No fleet is touched.

    Example: fleetctl drill eviction-without-notice --seed 7
    """
    from fleetctl.laptop import run_laptop_cloud

    words = [*(names or []), "--times", str(times), "--parallel", str(parallel)]
    words += ["--seed", str(seed)] if seed is not None else []
    words += ["--list"] if is_list else []
    if status := run_laptop_cloud(["drill", *words]):
        raise typer.Exit(status)
