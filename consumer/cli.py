"""The consumer's command line. `consumer` alone is `consumer run`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from consumer.exit_codes import ExitCode
from consumer.last_resort import end_process
from contract.errors import BadInput, StorageError

app = typer.Typer(
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Take tiles off the queue, make their results, commit each exactly once.",
    epilog="Examples: consumer | consumer run --until-empty --memory 12G | consumer once --fleet laptop",
)

FleetOption = Annotated[
    str | None,
    typer.Option("--fleet", help="Fleet name or file; default: FLEET, else the laptop cloud that runs."),
]
JobOption = Annotated[str | None, typer.Option("--job", help="With --until-empty: wait for this job only.")]
UntilEmptyOption = Annotated[
    bool, typer.Option("--until-empty", help="End when all asked tiles are committed or explained.")
]
MemoryOption = Annotated[
    str | None, typer.Option("--memory", help="Most memory for tiles held: 8G, 500M or 60% (the default).")
]
WorkerOption = Annotated[
    str | None, typer.Option("--worker", help="This worker's name in heartbeats and ledger.")
]
GraceOption = Annotated[
    float | None, typer.Option("--grace", help="Seconds from a signal or notice to the end (default 25).")
]
WeightsOption = Annotated[Path | None, typer.Option("--weights", help="Use this weights file and no other.")]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Without a command: run."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run(
    fleet: FleetOption = None,
    until_empty: UntilEmptyOption = False,
    job: JobOption = None,
    memory: MemoryOption = None,
    worker: WorkerOption = None,
    grace: GraceOption = None,
    weights: WeightsOption = None,
) -> None:
    """Work until there is a reason to stop: SIGTERM, a notice, an unfit machine, or nothing left to do."""
    with said_in_one_sentence():
        from consumer.wiring import run_worker

        code = run_worker(
            fleet,
            until_empty=until_empty or job is not None,
            job=job,
            memory_bytes=memory,
            worker=worker,
            grace_seconds=grace,
            weights=weights,
        )
    end_process(code)


@app.command()
def once(
    fleet: FleetOption = None,
    memory: MemoryOption = None,
    worker: WorkerOption = None,
    weights: WeightsOption = None,
) -> None:
    """Do one tile and end: for looking at what happens."""
    with said_in_one_sentence():
        from consumer.wiring import run_worker

        code = run_worker(fleet, most_received=1, memory_bytes=memory, worker=worker, weights=weights)
    end_process(code)


@contextmanager
def said_in_one_sentence() -> Iterator[None]:
    """A person's mistake ends with one sentence and status 2, never with a traceback."""
    try:
        yield
    except (BadInput, StorageError) as error:
        print(f"consumer: {error}", file=sys.stderr)
        raise typer.Exit(ExitCode.BAD_INPUT) from None
