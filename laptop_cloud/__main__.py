"""`laptop-cloud`: install its parts, run it, or run the demo on it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from contract.errors import TilefleetError
from contract.fleet import laptop_folder


class StorageDied(TilefleetError):
    """The emulator ended while the laptop cloud ran."""


app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="The cloud that fits on a laptop: real storage protocols, local imagery, local workers.",
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
    """Process the Isle of Man with three consumers and make a picture of it."""
    from laptop_cloud.demo import run_demo  # noqa: PLC0415

    run_demo(_home())


@app.command()
def up(
    consumers: Annotated[int, typer.Option(min=0, max=64, help="How many consumers to run.")] = 3,
    scenes: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of scenes; default: the demo's.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs stored.")] = False,
) -> None:
    """Run until Ctrl-C; what was stored is there again next time."""
    from laptop_cloud import cloud, processes  # noqa: PLC0415
    from laptop_cloud.demo_region import REGION, YEAR, demo_scenes  # noqa: PLC0415

    home = _home()
    data = home / "data"
    if fresh:
        shutil.rmtree(data, ignore_errors=True)
    folder = scenes or demo_scenes(home)
    with (
        cloud.running(home, data, scenes=folder) as laptop,
        cloud.consumers(laptop, cloud.Consumers(consumers)) as children,
    ):
        print(f"the laptop cloud runs with {consumers} consumers; Ctrl-C ends it. In another terminal:")
        print(
            f"  producer enqueue '{REGION}' --year {YEAR} --set model=v2-nano --set resolution=100\n"
            "  fleetctl status --watch",
            flush=True,
        )
        reported: set[str] = set()
        storage_port = urlsplit(laptop.fleet.queue_url).port or 0
        while True:
            time.sleep(1)
            if not processes.is_listening(storage_port):
                raise StorageDied(
                    "Azurite has ended, so the laptop cloud ends too; `laptop-cloud up` goes on with what it stored"
                )
            for child in children:
                if not child.is_running() and child.name not in reported:
                    reported.add(child.name)
                    status = child.process.returncode
                    print(f"{child.name} ended with status {status}; its log: {child.log_path}", flush=True)


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
