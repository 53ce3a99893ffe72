"""`fleetctl drill`: rehearse bad days on this machine. The laptop cloud plays them, as a child process."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from contract.errors import BadInput
from fleetctl.cli_common import named_exits
from fleetctl.exit_codes import ExitCode


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
    from importlib.util import find_spec

    if find_spec("laptop_cloud") is None:
        raise BadInput("drills need the laptop cloud, which is not installed here: `make setup` installs it")
    words = [*(names or []), "--times", str(times), "--parallel", str(parallel)]
    words += ["--seed", str(seed)] if seed is not None else []
    words += ["--list"] if is_list else []
    if status := _run([sys.executable, "-m", "laptop_cloud", "drill", *words]):
        raise typer.Exit(status)


def _run(command: list[str]) -> int:
    """The child's status. It has our terminal, and a Ctrl-C there reaches it, too."""
    child = subprocess.Popen(command)  # noqa: S603 - our own program; no shell reads what was typed
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        return ExitCode.INTERRUPTED
