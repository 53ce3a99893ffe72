"""The consumer's command line. `consumer` alone is `consumer run`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from consumer.exit_codes import ExitCode
from consumer.last_resort import end_process
from contract.errors import BadInput, NoToken, StorageError, StorageUnavailable, WorkerUnfit

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
SlotsOption = Annotated[
    str | None,
    typer.Option(
        "--slots",
        help="auto: a process per GPU or group of cores, supervised; a number: so many; not given: one worker, "
        "in this process.",
    ),
]
SlotOption = Annotated[
    tuple[int, int] | None,
    typer.Option("--slot", hidden=True, help="Set by a supervisor: slot number and supervisor's process id."),
]
RecipeOption = Annotated[str, typer.Option("--recipe", help="Which recipe.")]
DeviceOption = Annotated[str, typer.Option("--device", help="Where inference runs: cpu or cuda.")]
DtypeOption = Annotated[str, typer.Option("--dtype", help="fp32 is the exact path, bf16 the fast one.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="CPU threads; default: one per core of the affinity mask."),
]


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
    slots: SlotsOption = None,
    slot: SlotOption = None,
) -> None:
    """Work until there is a reason to stop: SIGTERM, a notice, an unfit machine, or nothing left to do."""
    if slot is not None:
        from consumer.slot_process import join_supervisor

        join_supervisor(slot[1])
    with said_in_one_sentence():
        from consumer import wiring

        work = wiring.run_worker if slots is None else partial(wiring.run_slots, asked=slots)
        code = work(
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


@app.command()
def infer(
    folder: Annotated[Path, typer.Option("--input", help="Folder of one prepared tile (.npy files).")],
    output: Annotated[Path, typer.Option("--output", help="Folder for the result; made if it is missing.")],
    model: Annotated[str, typer.Option("--model", help="v1.1, v2-nano, v2-small, v2-medium or v2-large.")],
    weights: Annotated[Path | None, typer.Option("--weights", help="The model's checkpoint.")] = None,
    recipe: RecipeOption = "tessera",
    data_source: Annotated[
        str | None,
        typer.Option("--data-source", help="mpc or aws: whose imagery tile and v1.1 weights are made for."),
    ] = None,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "fp32",
    threads: ThreadsOption = None,
    save_float: Annotated[
        bool, typer.Option("--save-float", help="Also write the floats before rounding.")
    ] = False,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Seeded weights that mean nothing instead of a checkpoint.")
    ] = False,
) -> None:
    """Infer one prepared tile into <folder name>.npy and <folder name>_scales.npy; needs no fleet."""
    with said_in_one_sentence():
        from consumer.infer_tile import infer_tile
        from consumer.recipe_tools import FolderRequest
        from consumer.settings import available_cores

        code = infer_tile(
            recipe,
            FolderRequest(
                folder=folder,
                output=output,
                model=model,
                weights=weights,
                is_untrained=untrained,
                data_source=data_source,
                device=device,
                dtype=dtype,
                threads=threads or available_cores(),
                keep_floats=save_float,
            ),
        )
    raise typer.Exit(code)


@app.command()
def fetch(
    tile: Annotated[str, typer.Argument(help="grid_<lon>_<lat>, by its centre.", metavar="TILE")],
    year: Annotated[int, typer.Option("--year", help="Calendar year.")],
    output: Annotated[Path, typer.Option("--output", help="Folder for the cube; made if it is missing.")],
    fleet: FleetOption = None,
    recipe: RecipeOption = "tessera",
    source: Annotated[
        str | None, typer.Option("--source", help="mpc or aws: whose conventions the catalogue follows.")
    ] = None,
    resolution: Annotated[
        float | None, typer.Option("--resolution", help="Edge of a pixel in metres; default 10.")
    ] = None,
    land: Annotated[
        Path | None,
        typer.Option("--land", help="FlatGeobuf of land polygons: read no more; default: all of it."),
    ] = None,
) -> None:
    """Fetch one tile's prepared year, for `consumer infer`; asks the fleet's catalogue, not its storage."""
    with said_in_one_sentence():
        from consumer.wiring import run_fetch

        given = {"source": source, "resolution": resolution}
        settings = {name: str(value) for name, value in given.items() if value is not None}
        code = run_fetch(fleet, recipe, tile, year, output, settings=settings, land=land)
    raise typer.Exit(code)


@app.command()
def bench(
    recipe: RecipeOption = "tessera",
    models: Annotated[
        list[str] | None, typer.Option("--model", help="May be repeated; default: every model.")
    ] = None,
    dtypes: Annotated[
        list[str] | None, typer.Option("--dtype", help="May be repeated; default: fp32 and bf16.")
    ] = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
) -> None:
    """Measure inference on this machine: pixels per second, and where the time goes."""
    with said_in_one_sentence():
        from consumer.recipe_tools import chosen, recipe_tool
        from consumer.settings import available_cores

        tool = recipe_tool(recipe, "bench", purpose="measure itself")
        wanted = chosen(recipe, "model", models or []), chosen(recipe, "dtype", dtypes or [])
        try:
            tool.print_bench(*wanted, device, threads or available_cores())
        except WorkerUnfit as error:
            raise BadInput(f"{error}; try --device cpu") from error


@app.command()
def selftest(
    fleet: FleetOption = None,
    recipe: RecipeOption = "tessera",
    model: Annotated[
        str | None, typer.Option("--model", help="The recipe's model; default: its own.")
    ] = None,
    dtype: Annotated[str | None, typer.Option("--dtype", help="fp32 or bf16; default: the recipe's.")] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda; default: the setting.")] = None,
    threads: ThreadsOption = None,
) -> None:
    """Is this machine fit to work? Prints what was found and wanted; status 0: fit, 21: unfit."""
    with said_in_one_sentence():
        from consumer.wiring import run_selftest

        given = {name: value for name, value in {"model": model, "dtype": dtype}.items() if value is not None}
        code = run_selftest(fleet, recipe, given, device=device, threads=threads)
    raise typer.Exit(code)


@app.command("dead-man")
def dead_man(fleet: FleetOption = None) -> None:
    """Take no tile: only let this machine go when its fleet has lost its controller, or its end is past."""
    with said_in_one_sentence():
        from consumer.wiring import run_dead_man

        code = run_dead_man(fleet)
    raise typer.Exit(code)


@contextmanager
def said_in_one_sentence() -> Iterator[None]:
    """A person's mistake ends with one sentence and status 2, never with a traceback. So does a storage that
    refuses; one that is only away ends with 1, after which systemd and a supervisor start us again, and so does
    a token that was not to be had."""
    try:
        yield
    except (BadInput, StorageError) as error:
        print(f"consumer: {error}", file=sys.stderr)
        may_pass = isinstance(error, StorageUnavailable | NoToken)
        raise typer.Exit(ExitCode.FAULT if may_pass else ExitCode.BAD_INPUT) from None
