"""The `producer` command: `tiles`, `enqueue`, `resume`, `jobs`. What it does is elsewhere; here are its words."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from contract.errors import BadInput, StorageError
from contract.fleet import Fleet
from contract.second_attempt import DEFAULT_SECOND_ATTEMPTS
from producer import wiring
from producer.exit_codes import ExitCode

app = typer.Typer(
    help="Turn regions into tiles, and put the tiles on a fleet's queue.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Regions = Annotated[
    list[str],
    typer.Argument(
        metavar="REGION...",
        help="A country, continent, subregion or map unit; bbox:w,s,e,n; a vector file; a tile list "
        "(.txt, or - for stdin). Several add up.",
    ),
]
Excluded = Annotated[list[str], typer.Option("--exclude", metavar="NAME", help="Subtract this region.")]
BoundariesFile = Annotated[
    str | None,
    typer.Option(
        "--boundaries", metavar="FILE", help="Boundaries other than the shipped ones; or `natural-earth`."
    ),
]
FleetName = Annotated[
    str | None, typer.Option("--fleet", metavar="NAME", help="Of fleets/NAME.toml; or `laptop`.")
]


@contextmanager
def _named_exits() -> Iterator[None]:
    """Only mistakes and storage are expected here; anything else is a bug and shows where."""
    try:
        yield
    except (BadInput, StorageError) as error:
        sentence = " ".join(str(error).split())  # a library's text inside may have lines of its own
        errors.print(f"producer: {sentence}", style="red", markup=False)
        raise typer.Exit(ExitCode.BAD_INPUT) from error
    except KeyboardInterrupt as error:
        errors.print("producer: interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from error


@app.command()
@_named_exits()
def tiles(regions: Regions, exclude: Excluded = [], boundaries: BoundariesFile = None) -> None:  # noqa: B006
    """Print the names of a region's tiles, one per line. Needs no fleet and no network.

    Example: producer tiles "Isle of Man"
    """
    from producer.boundaries import open_boundaries
    from producer.grid import grid_cells
    from producer.region import resolve

    settings = wiring.load_settings()
    places = open_boundaries(boundaries or settings.boundaries, settings.cache_folder)
    region = resolve(regions, exclude=exclude, boundaries=places, standard_input=sys.stdin)
    with _quiet_when_nobody_reads():
        for cell in grid_cells(region.cells):
            print(cell.name)


@app.command()
@_named_exits()
def enqueue(
    regions: Regions,
    year: Annotated[
        str | None, typer.Option(metavar="YEAR", help="2024, or 2017-2025; default: the last complete one.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(metavar="NAME", help="Default: tessera.")] = None,
    assignments: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A parameter of the recipe; or weights=FILE, weights=https://..., weights=blob:NAME; or "
            "models=v1.1,v2-nano, a job each, with weights.v1.1=FILE and so on.",
        ),
    ] = [],  # noqa: B006
    job: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the job; default: from the region.")
    ] = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="Before everything that is not urgent.")] = False,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Only the first N tiles.")] = None,
    canary: Annotated[
        int, typer.Option(metavar="N", help="N tiles from all over first; the rest once they are approved.")
    ] = 0,
    second_attempts: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Of a new job: how often idle workers may try a tile that another one is slow with; 0: never.",
        ),
    ] = DEFAULT_SECOND_ATTEMPTS,
    like: Annotated[
        str | None, typer.Option(metavar="JOB", help="Recipe, settings, weights and year of that job.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be; write nothing.")] = False,
    exclude: Excluded = [],  # noqa: B006
    boundaries: BoundariesFile = None,
    partial_year: Annotated[
        bool, typer.Option("--partial-year", help="Allow the year that is not over.")
    ] = False,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Seeded weights, for trials: the results mean nothing.")
    ] = False,
    no_preflight: Annotated[
        bool, typer.Option("--no-preflight", help="Do not ask the catalogue first whether it has imagery.")
    ] = False,
    fleet: FleetName = None,
) -> None:
    """Ask for a region's tiles: those that are neither done nor queued are put on the queue.

    Typing it again adds nothing, and goes on where an interrupted one stopped.

    Example: producer enqueue UK --year 2024 --set model=v2-nano
    """
    from producer.asking import Options
    from producer.request import Request, run_request

    settings = wiring.load_settings()
    target = _say_target(fleet)
    request = Request(
        Options(
            year=year,
            recipe=recipe,
            assignments=assignments,
            job=job,
            like=like,
            limit=limit,
            canary=canary,
            second_attempts=second_attempts,
            is_urgent=urgent,
            is_partial_allowed=partial_year,
            is_untrained_allowed=untrained,
        ),
        regions=regions,
        exclude=exclude,
        standard_input=sys.stdin,
        boundaries=boundaries or settings.boundaries or target.boundaries_file,
        is_dry=dry_run,
        is_preflight=not no_preflight,
    )
    with wiring.connected(target, settings) as storage:
        code = run_request(request, settings, target, storage, console=errors, now=datetime.now(UTC))
    raise typer.Exit(code)


@app.command()
@_named_exits()
def resume(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id: `producer jobs` lists them.")],
    fleet: FleetName = None,
) -> None:
    """Send what a stored job still asks for: after an interruption, or once its canary is approved.

    As typing its `producer enqueue` again, without finding out again what that meant.

    Example: producer resume uk-2024-1f2e3d4c
    """
    from producer.request import run_resume

    settings = wiring.load_settings()
    target = _say_target(fleet)
    with wiring.connected(target, settings) as storage:
        code = run_resume(job, target, storage, console=errors, now=datetime.now(UTC))
    raise typer.Exit(code)


@app.command()
@_named_exits()
def jobs(fleet: FleetName = None) -> None:
    """List the jobs of a fleet, with their state and how many of their tiles were enqueued."""
    from contract.job_store import list_jobs, read_cursor
    from producer.enqueue import check_storage, state_of
    from producer.progress import jobs_table

    settings = wiring.load_settings()
    with wiring.connected(_say_target(fleet), settings) as storage:
        check_storage(storage)
        rows = [
            (
                job,
                state_of(storage.store, job),
                read_cursor(storage.store, job.id).position,
            )
            for job in list_jobs(storage.store)
        ]
    if not rows:
        errors.print("no jobs yet: `producer enqueue REGION` makes one")
        return
    with _quiet_when_nobody_reads():
        Console(width=None if sys.stdout.isatty() else 240, highlight=False).print(jobs_table(rows))


def run() -> None:
    """The command, to its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    app(prog_name="producer")


def _say_target(named: str | None) -> Fleet:
    fleet = wiring.load_fleet(named)
    errors.print(fleet.target_line, markup=False)
    return fleet


@contextmanager
def _quiet_when_nobody_reads() -> Iterator[None]:
    """`producer tiles UK | head` is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again when the interpreter closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(_number: int, _frame: Any) -> NoReturn:
    """SIGTERM is Ctrl-C by other means."""
    raise KeyboardInterrupt
