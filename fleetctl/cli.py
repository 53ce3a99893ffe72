"""The `fleetctl` command: `status`, `summary`, `mosaic`, `export`, `job`. Words and exits; the work is elsewhere."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from contract.errors import BadInput, StorageError
from contract.fleet import Fleet
from fleetctl import phrases, wiring
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from fleetctl.campaign.export import Export

app = typer.Typer(
    help="Watch a fleet, and see what its jobs came to.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

FleetName = Annotated[
    str | None, typer.Option("--fleet", metavar="NAME", help="Of fleets/NAME.toml; or `laptop`.")
]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or its name where only one job has it.")]


@contextmanager
def _named_exits() -> Iterator[None]:
    """Only mistakes and storage are expected here; anything else is a bug and shows where."""
    try:
        yield
    except (BadInput, StorageError) as error:
        errors.print(f"fleetctl: {error}", style="red", markup=False)
        raise typer.Exit(ExitCode.BAD_INPUT) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(ExitCode.INTERRUPTED) from error


@app.command()
@_named_exits()
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
    fleet: FleetName = None,
) -> None:
    """Show how far the jobs are, what waits in the queues, and who is at work.

    Example: fleetctl status --watch
    """
    from fleetctl.campaign.following import Follower, follow_lines, follow_screen, show_once

    settings = wiring.load_settings()
    storage = wiring.connect(_say_target(fleet), settings)
    follower = Follower(storage.store, storage.queues, job)
    if until_done:
        follow_lines(follower, settings.refresh_seconds, _output())
    elif watch:
        follow_screen(follower, settings.refresh_seconds, _output())
    else:
        show_once(follower, _output())


@app.command()
@_named_exits()
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
    store = wiring.connect(_say_target(fleet), settings).store
    history = gather_history(store, choose_job(store, job))
    with tile_progress(errors, "reading commits", len(history.commits)) as on_tile:
        result = tally(store, history, settings.connections, on_tile)
    if as_json:
        print(json.dumps(summary_json(history, result), indent=2))
    else:
        print_summary(_output(), history, result)


@app.command()
@_named_exits()
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
    store = wiring.connect(_say_target(fleet), settings).store
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


@app.command()
@_named_exits()
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
    store = wiring.connect(_say_target(fleet), settings).store
    history = gather_history(store, choose_job(store, job))
    with byte_progress(errors, "fetching", len(history.commits)) as on_tile:
        done = export_dataset(store, history, output, connections=settings.connections, on_tile=on_tile)
    _say_export(done, len(history.asked), is_untrained=history.is_untrained)
    for problem in done.problems:
        errors.print(
            f"fleetctl: {problem.tile}: {problem.problem}; type the command again later", style="red"
        )
    if done.problems:
        raise typer.Exit(ExitCode.INCOMPLETE)


jobs = typer.Typer(
    help="Change a job's state: approve a canary, pause, resume, cancel.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(jobs, name="job")


@jobs.command()
@_named_exits()
def approve(job: JobName, fleet: FleetName = None) -> None:
    """Let a canary's other tiles follow: the same `producer enqueue`, typed again, sends them."""
    _change_job("approve", job, fleet)


@jobs.command()
@_named_exits()
def pause(job: JobName, fleet: FleetName = None) -> None:
    """Let a job's tiles wait: what is being inferred is finished, the rest stays in the queue."""
    _change_job("pause", job, fleet)


@jobs.command()
@_named_exits()
def resume(job: JobName, fleet: FleetName = None) -> None:
    """Go on with a paused job."""
    _change_job("resume", job, fleet)


@jobs.command()
@_named_exits()
def cancel(
    job: JobName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    fleet: FleetName = None,
) -> None:
    """Give up what a job still asks for; what is committed stays, and there is no way back."""
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"cancel {job} for good?")):
        raise BadInput(f"{job} was not cancelled: confirm it, or add --yes")
    _change_job("cancel", job, fleet)


def run() -> None:
    """The command, to its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    app(prog_name="fleetctl")


def _say_target(named: str | None) -> Fleet:
    fleet = wiring.load_fleet(named)
    errors.print(fleet.target_line, markup=False)
    return fleet


def _change_job(verb: str, job: str, fleet: str | None) -> None:
    from fleetctl.campaign.history import choose_job
    from fleetctl.campaign.job_control import CHANGES, change_job

    store = wiring.connect(_say_target(fleet), wiring.load_settings()).store
    chosen, change = choose_job(store, job), CHANGES[verb]
    reason = f"fleetctl job {verb}"
    if change_job(store, chosen, change, reason=reason, now=datetime.now(UTC)):
        print(f"{chosen.id} is {change.to.value}: {change.consequence}")
    else:
        print(f"{chosen.id} was {change.to.value} already")


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


def _output() -> Console:
    """Tables are as wide as they need to be where nobody watches."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    """SIGTERM is Ctrl-C by other means."""
    raise KeyboardInterrupt
