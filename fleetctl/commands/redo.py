"""`fleetctl redo`: results that no longer count are revoked, and their tiles asked in the next generation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contract.errors import BadInput, StorageError
from fleetctl import wiring
from fleetctl.cli_common import FleetName, JobName, Yes, confirm, errors, named_exits, say_target

if TYPE_CHECKING:
    from contract.blob_store import BlobStore
    from contract.job import Job
    from fleetctl.redo.choose import Choice
    from fleetctl.redo.plan import RedoPlan

    Chooser = Callable[[BlobStore, Job, int], Choice]


@named_exits()
def redo(
    job: JobName,
    tiles: Annotated[
        str | None, typer.Option("--tiles", metavar="FILE", help="A name per line; - is standard input.")
    ] = None,
    corrupt: Annotated[
        bool, typer.Option("--corrupt", help="Whose files are gone, or differ in length or MD5.")
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(
            "--where", metavar="CONDITION", help="Over what commits say: 'lost>0 and outcome=done'."
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Kept with each result; default: what you type."),
    ] = None,
    yes: Yes = False,
    fleet: FleetName = None,
) -> None:
    """Have committed tiles done again: their results are revoked, their next generation is asked.

    Readers keep the old files until the new ones are committed. Typed again after an interruption, it goes on;
    it never asks a tile twice for that.

    Example: fleetctl redo uk-2024-1f2e3d4c --where 'lost>0'
    """
    what, choose = _selection(tiles, where, corrupt=corrupt)
    settings = wiring.load_settings()
    storage = wiring.connect(say_target(fleet), settings)
    chosen_job = _redoable_job(storage.store, job)
    plan = _unfinished(storage.store, chosen_job, what)
    if plan is not None:
        question = f"go on with the redo {what!r}: {len(plan.rest)} of {len(plan.tiles)} tiles are left?"
        confirm(question, "nothing more was redone", yes=yes)
    else:
        plan = _new_plan(storage.store, chosen_job, what, choose, reason, settings.connections, yes=yes)
    if plan is None:
        print(f"{chosen_job.id}: nothing to redo")
        return
    print(f"{_carry_out(storage, chosen_job, plan, settings.connections)} tiles are asked again")


def _selection(tiles: str | None, where: str | None, *, corrupt: bool) -> tuple[str, Chooser]:
    """What was typed in words, and how to find the tiles. BadInput unless it is exactly one of the three."""
    from fleetctl.audit.verify import verify
    from fleetctl.campaign.history import gather_history
    from fleetctl.progress_bars import listing_progress, tile_progress
    from fleetctl.redo.choose import choose_corrupt, choose_listed, choose_where
    from fleetctl.redo.condition import parse_condition
    from fleetctl.redo.tile_file import read_tile_names, words_of

    if (tiles is not None) + (where is not None) + corrupt != 1:
        raise BadInput("say which tiles: one of --tiles FILE, --corrupt, --where 'lost>0'")
    if tiles is not None:
        names = read_tile_names(sys.stdin if tiles == "-" else Path(tiles))
        return words_of(names), lambda store, job, _connections: choose_listed(
            gather_history(store, job), names
        )
    condition = parse_condition(where) if where is not None else None

    def choose(store: BlobStore, job: Job, connections: int) -> Choice:
        if condition is None:
            with listing_progress(errors, "listing") as on_blobs:
                return choose_corrupt(verify(store, job, connections=connections, on_blobs=on_blobs))
        history = gather_history(store, job)
        with tile_progress(errors, "reading commits", len(history.commits)) as on_tile:
            return choose_where(store, history, condition, connections, on_tile)

    return f"where {condition}" if condition else "corrupt", choose


def _redoable_job(store: BlobStore, wanted: str) -> Job:
    from contract.job import JobState
    from fleetctl.campaign.job_list import choose_job
    from fleetctl.campaign.job_table import read_state

    job = choose_job(store, wanted)
    status = read_state(store, job)
    if status and status.state is JobState.CANCELLED:
        raise BadInput(f"{job.id} is cancelled ({status.reason}): redo the tiles in a job that is not")
    if status and status.state is JobState.PAUSED:
        errors.print(f"{job.id} is paused: its tiles wait until `fleetctl job resume {job.id}`", markup=False)
    return job


def _unfinished(store: BlobStore, job: Job, what: str) -> RedoPlan | None:
    """The interrupted plan of the same words; others are named."""
    from fleetctl.redo.plan import unfinished_plans

    found = None
    for plan in unfinished_plans(store, job):
        if plan.what == what:
            found = found or plan
        else:
            errors.print(
                f"another redo of {job.id} was interrupted and is not finished: {plan.what}", markup=False
            )
    return found


def _new_plan(
    store: BlobStore, job: Job, what: str, choose: Chooser, reason: str | None, connections: int, *, yes: bool
) -> RedoPlan | None:
    from fleetctl.redo.plan import store_plan

    choice = choose(store, job, connections)
    for example in choice.examples:
        print(example)
    print(f"{job.id}: {len(choice.tiles)} results to redo ({what}), {choice.left_out} asked tiles have none")
    if not choice.tiles:
        return None
    confirm(f"revoke {len(choice.tiles)} results and ask for them again?", "nothing was redone", yes=yes)
    why = reason or f"fleetctl redo, {what}"
    return store_plan(store, job, what=what, reason=why, tiles=choice.tiles, now=datetime.now(UTC))


def _carry_out(storage: wiring.Storage, job: Job, plan: RedoPlan, connections: int) -> int:
    from fleetctl.askers import find_askers, reopen_finished
    from fleetctl.progress_bars import batch_progress
    from fleetctl.redo.carry_out import Redo

    askers = find_askers(storage.store, {(job.dataset, one.tile) for one in plan.rest})
    involved = {asker.id: asker for jobs in askers.by_tile.values() for asker in jobs} | {job.id: job}
    reopen_finished(storage.store, involved.values(), reason=plan.reason, now=datetime.now(UTC))
    redo = Redo(storage.store, storage.queues, job, askers, connections)
    try:
        with batch_progress(errors, "asking again", len(plan.rest)) as on_tiles:
            return redo.carry_out(plan, on_tiles)
    except (KeyboardInterrupt, StorageError):
        errors.print("fleetctl: the redo is not finished: type the same command again to go on", markup=False)
        raise
