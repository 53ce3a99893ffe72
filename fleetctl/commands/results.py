"""What jobs came to: `status`, `summary`, `mosaic`, `export`. Words only; the work is elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput
from fleetctl import phrases, wiring
from fleetctl.cli_common import AsJson, FleetName, JobName, errors, named_exits, say_target
from fleetctl.cli_common import output as console
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from fleetctl.campaign.export import Export


@named_exits()
def status(
    job: Annotated[
        str | None, typer.Option("--job", metavar="JOB", help="Only this one; default: every job.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until every job shown is complete.")
    ] = False,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="As --watch, with a line per change: for scripts.")
    ] = False,
    as_json: AsJson = False,
    fleet: FleetName = None,
) -> None:
    """Show how far the jobs are, what waits in the queues, who is at work, and what was spent.

    Example: fleetctl status --watch
    """
    from fleetctl.campaign.following import Follower, follow_lines, follow_screen, show_once
    from fleetctl.campaign.status_json import status_json

    if as_json and (watch or until_done):
        raise BadInput("--json is for one look: without --watch and --until-done")
    settings = wiring.load_settings()
    storage = wiring.connect(say_target(fleet), settings)
    follower = Follower(storage.store, storage.queues, job)
    if until_done:
        follow_lines(follower, settings.refresh_seconds, console())
    elif watch:
        follow_screen(follower, settings.refresh_seconds, console())
    elif as_json:
        print(json.dumps(status_json(follower.look()), indent=2))
    else:
        show_once(follower, console())


@named_exits()
def summary(
    job: JobName,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
    fleet: FleetName = None,
) -> None:
    """Show what a job came to: tiles by outcome, seconds per stage, bytes, how busy inference was.

    Example: fleetctl summary isle-of-man-2024
    """
    from fleetctl.campaign.history import choose_job, gather_history
    from fleetctl.campaign.summary_table import print_summary, summary_json
    from fleetctl.campaign.tally import tally
    from fleetctl.progress_bars import tile_progress

    settings = wiring.load_settings()
    store = wiring.connect(say_target(fleet), settings).store
    history = gather_history(store, choose_job(store, job))
    with tile_progress(errors, "reading commits", len(history.commits)) as on_tile:
        result = tally(store, history, settings.connections, on_tile)
    if as_json:
        print(json.dumps(summary_json(history, result), indent=2))
    else:
        print_summary(console(), history, result)


@named_exits()
def mosaic(
    job: JobName,
    output: Annotated[Path, typer.Option("--output", metavar="FILE.png", help="The picture to write.")],
    pixels: Annotated[
        int, typer.Option(min=64, max=8192, metavar="N", help="Of the picture's longer side, at most.")
    ] = 2000,
    fleet: FleetName = None,
) -> None:
    """Paint one picture of a job from the previews of its tiles.

    Tiles without a result yet are orange, water is blue, and what was not asked for is grey.

    Example: fleetctl mosaic isle-of-man-2024 --output isle-of-man.png
    """
    from fleetctl.campaign.history import choose_job, gather_history
    from fleetctl.campaign.mosaic import make_mosaic
    from fleetctl.progress_bars import tile_progress

    settings = wiring.load_settings()
    _check_output(output)
    store = wiring.connect(say_target(fleet), settings).store
    history = gather_history(store, choose_job(store, job))
    with tile_progress(errors, "painting", len(history.commits)) as on_tile:
        made = make_mosaic(
            store,
            history,
            output,
            longest_pixels=pixels,
            connections=settings.connections,
            on_tile=on_tile,
        )
    if made.missing:
        errors.print(f"{made.missing} of {len(history.asked)} tiles have no published result yet")
    print(output)


@named_exits()
def export(
    job: JobName,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="The folder to fill.")],
    fleet: FleetName = None,
) -> None:
    """Download a job's results as a data set root, each file checked against its commit.

    Type it again to go on after an interruption, or to fetch what was committed since.

    Example: fleetctl export isle-of-man-2024 --output isle-of-man
    """
    from fleetctl.campaign.export import export_dataset
    from fleetctl.campaign.history import choose_job, gather_history
    from fleetctl.progress_bars import byte_progress

    settings = wiring.load_settings()
    store = wiring.connect(say_target(fleet), settings).store
    history = gather_history(store, choose_job(store, job))
    with byte_progress(errors, "fetching", len(history.commits)) as on_tile:
        done = export_dataset(
            store,
            history,
            output,
            connections=settings.connections,
            on_tile=lambda export: on_tile(export.fetched_bytes),
        )
    _say_export(done, len(history.asked), is_untrained=history.is_untrained)
    for problem in done.problems:
        errors.print(
            f"fleetctl: {problem.tile}: {problem.problem}; type the command again later", style="red"
        )
    if done.problems:
        raise typer.Exit(ExitCode.INCOMPLETE)


def _say_export(done: Export, asked: int, *, is_untrained: bool) -> None:
    kind = " (untrained)" if is_untrained else ""
    amounts = (
        f"{phrases.size(done.fetched_bytes)} fetched, {phrases.size(done.kept_bytes)} were there already"
    )
    print(f"{done.whole_tiles}/{asked} tiles in {done.folder}{kind}: {amounts}")
    print("to open it with geotessera, make its registry:")
    print(f"  geotessera-registry hash {done.folder}")
    print(f"  geotessera-registry scan {done.folder}")


def _check_output(path: Path) -> None:
    """Said before the work, not after it."""
    if path.suffix.lower() != ".png":
        raise BadInput(f"--output {path} is no .png file: the mosaic is a PNG")
    if not path.parent.is_dir():
        raise BadInput(f"--output {path}: there is no folder {path.parent}")
