"""`laptop-cloud`: install its parts, run it, or run the demo on it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from contract.errors import TilefleetError
from contract.fleet import laptop_folder
from laptop_cloud.drills.command import add_drill
from laptop_cloud.verbs import add_verbs
from laptop_cloud.virtual.command import add_virtual_fleet

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="The cloud that fits on a laptop: real storage protocols, local imagery, local machines.",
)
EXIT_BAD_INPUT = 2


@app.command()
def install() -> None:
    """Install Azurite and make the demo's imagery; a second call finds both."""
    from laptop_cloud import azurite  # noqa: PLC0415
    from laptop_cloud.demo_region import demo_scenes  # noqa: PLC0415

    azurite.install(_home())
    demo_scenes(_home())


@app.command()
def demo() -> None:
    """Process the Isle of Man on three virtual machines and make a picture of it."""
    from laptop_cloud.demo import run_demo  # noqa: PLC0415

    run_demo(_home())


@app.command()
def up(
    vms: Annotated[int, typer.Option(min=0, max=64, help="How many virtual machines to run.")] = 3,
    slots: Annotated[int, typer.Option(min=1, max=64, help="Workers on each of them.")] = 1,
    scenes: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of scenes; default: the demo's.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs stored.")] = False,
    most_machines: Annotated[
        int,
        typer.Option(
            "--max-machines",
            min=1,
            max=1000,
            help="Most that the controller may make besides; above eight they are hollow.",
        ),
    ] = 8,
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000, help="How much faster the clock of those machines runs.")
    ] = 1.0,
) -> None:
    """Run until Ctrl-C; what was stored is there again next time. Example: laptop-cloud up --vms 2"""
    from laptop_cloud.cloud import Machines, sole  # noqa: PLC0415
    from laptop_cloud.demo_region import demo_scenes  # noqa: PLC0415
    from laptop_cloud.managed import STATE_FILE, ManagedPlan  # noqa: PLC0415
    from laptop_cloud.up import run_until_told  # noqa: PLC0415

    home = _home()
    data = home / "data"
    with sole(home):
        if fresh:
            shutil.rmtree(data, ignore_errors=True)
            (home / STATE_FILE).unlink(missing_ok=True)
        plan = ManagedPlan(most_machines, speed)
        run_until_told(home, data, scenes or demo_scenes(home), Machines(vms, slots), plan)


add_verbs(app)
add_drill(app)
add_virtual_fleet(app)


def _home() -> Path:
    return laptop_folder(os.environ, Path.cwd()).absolute()


def main() -> None:
    try:
        app(prog_name="laptop-cloud")
    except TilefleetError as error:
        print(f"laptop-cloud: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
