"""When a worker saves, hands over and deletes checkpoints: its real parts, threads only for uploads."""

from __future__ import annotations

import time
from threading import Event

import pytest

from consumer.checkpoints.keep import FIRST_GUESS_BYTES_PER_SECOND, FIXED_SECONDS
from consumer.departure import Departure
from consumer.leaving import HAND_BACK_SECONDS, MOVE_NEEDS_SECONDS
from consumer.work import Stage
from contract import artifact_names, ledger_events
from contract.errors import StorageUnavailable, WorkerUnfit
from contract.ledger import LedgerReader
from contract.tile_message import decode_message
from tests.unit.consumer.checkpoint_rig import (
    BLOCKS,
    ask,
    assert_as_undisturbed,
    checkpoints_of,
    complete,
    finish,
    infer,
    interrupt,
    stop_after,
    take,
)
from tests.unit.consumer.worker_rig import TILE, StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_the_checkpoint_is_stored_before_the_message_that_hints_at_it_is_visible(world):
    job = ask(world)
    seen = []

    def watch(moment, operation, name):
        if moment == "before" and operation in ("send", "update") and "urgent" in name:
            seen.append(checkpoints_of(world, job))

    worker = StepWorker(world, "w1", fault=watch)
    worker.parts.state.is_evicted.set()
    work = take(worker)
    stop_after(work, 3)
    finish(worker, work)
    assert seen == [[f"{work.attempt}/000003"]]
    (held,) = world.queues.urgent.receive(1, 30)
    name = artifact_names.checkpoint(job.dataset, TILE, 1, work.attempt, 3)
    assert decode_message(held.body).checkpoint == name


def test_three_evictions_upload_each_block_once(world):
    job = ask(world)
    attempts = [interrupt(world, f"w{blocks}", blocks=blocks) for blocks in (1, 3, 5)]
    assert checkpoints_of(world, job) == sorted(
        f"{work.attempt}/{blocks:06d}" for work, blocks in zip(attempts, (1, 3, 5), strict=True)
    )
    work = complete(world)
    assert work.commit.done["resumed_blocks"] == 5
    assert_as_undisturbed(world, job)
    assert checkpoints_of(world, job) == []


def test_without_an_upload_the_tile_goes_back_all_the_same(world):
    job = ask(world)

    def no_checkpoints(moment, operation, name):
        if operation == "upload" and name.startswith("checkpoints/"):
            raise StorageUnavailable("the storage is away")

    worker = StepWorker(world, "w1", fault=no_checkpoints)
    work = take(worker)
    stop_after(work, 4)
    finish(worker, work)
    (held,) = world.queues.tiles.receive(1, 30)
    assert decode_message(held.body).checkpoint == ""
    assert checkpoints_of(world, job) == []


def test_without_time_the_tile_goes_back_without_a_hint(world):
    ask(world)
    worker = StepWorker(world, "w1")
    work = take(worker)
    stop_after(work, 4)
    work.save_by = 0.0
    is_settled = Event()
    # What is uploaded at that moment keeps the one thread busy.
    worker.parts.checkpoints._uploads.submit(is_settled.wait, 60)
    infer(worker, work)
    worker.parts.steps.settle(work)
    is_settled.set()
    (held,) = world.queues.tiles.receive(1, 30)
    assert decode_message(held.body).checkpoint == ""


def test_a_worker_that_turns_out_unfit_takes_its_own_blocks_back_and_leaves_those_of_others(world):
    job = ask(world)
    before = interrupt(world, "w1", blocks=2)
    worker = StepWorker(world, "sick")
    work = take(worker)
    stop_after(work, 4)
    infer(worker, work)
    worker.parts.checkpoints.save(work)
    assert len(checkpoints_of(world, job)) == 2
    work.error = WorkerUnfit("uncorrectable ECC errors")
    worker.parts.steps.settle(work)
    assert checkpoints_of(world, job) == [f"{before.attempt}/000002"]


def test_a_worker_that_turns_out_unfit_while_it_saves_takes_that_back_too(world):
    job = ask(world)
    worker = StepWorker(world, "sick")
    work = take(worker)
    stop_after(work, 4)
    infer(worker, work)
    checkpoints, blocks, plan = worker.parts.checkpoints, work.blocks, work.plan
    begun = Event()

    def slowly() -> None:
        begun.set()
        work.stop.wait(0.2)
        checkpoints._upload(work, blocks, plan)

    work.stop.clear()
    checkpoints._uploads.submit(slowly)
    assert begun.wait(5)
    work.error = WorkerUnfit("uncorrectable ECC errors")
    worker.parts.steps.settle(work)
    assert checkpoints_of(world, job) == []
    assert work.saved_as  # it was there


def test_the_ledger_tells_what_was_saved(world):
    job = ask(world)
    worker = StepWorker(world, "w1")
    work = take(worker)
    stop_after(work, 4)
    finish(worker, work)
    worker.parts.reporter._ledger.flush()
    events, _ = LedgerReader(world.store).read_new({})
    (event,) = (e for e in events if e["name"] == ledger_events.CHECKPOINT_SAVED)
    assert (event["tile"], event["attempt"], event["blocks"]) == (TILE.name, work.attempt, 4)
    name = artifact_names.checkpoint(job.dataset, TILE, 1, work.attempt, 4)
    assert event["bytes"] == world.store.info(name).length
    assert event["seconds"] >= 0


def test_a_recipe_without_blocks_costs_no_request(world):
    world.ask()
    asked = []
    worker = StepWorker(world, "w1", fault=lambda moment, operation, name: asked.append(name))
    finish(worker, take(worker))
    assert asked
    assert not [name for name in asked if name.startswith("checkpoints/")]


def test_a_tile_that_takes_long_is_saved_now_and_then_and_a_quick_one_is_not(world):
    job = ask(world, infer_seconds="0.6")
    often = {"checkpoint_every_seconds": 0.05}
    slow = StepWorker(world, "slow", **often, checkpoint_tiles_over_seconds=0.1)
    work = take(slow)
    stop_after(work, 5)
    infer(slow, work)
    assert work.saved_blocks > 0
    assert checkpoints_of(world, job)
    world.now += 100
    quick = StepWorker(world, "quick", **often, checkpoint_tiles_over_seconds=60)
    before = checkpoints_of(world, job)
    other = take(quick)
    infer(quick, other)
    assert checkpoints_of(world, job) == before


def test_the_time_that_a_save_takes_follows_from_the_bytes_that_are_not_stored(world):
    ask(world)
    worker = StepWorker(world, "w1")
    work = take(worker)
    assert worker.parts.checkpoints.save_seconds(work) == 0
    stop_after(work, 4)
    infer(worker, work)
    at_first_guess = FIXED_SECONDS + 4_000 / FIRST_GUESS_BYTES_PER_SECOND
    assert worker.parts.checkpoints.save_seconds(work) == at_first_guess
    worker.parts.checkpoints.save(work)
    assert worker.parts.checkpoints.save_seconds(work) == 0


@pytest.mark.parametrize(("block_bytes", "is_measured"), [("1000", False), ("3000000", True)])
def test_only_an_upload_of_some_length_tells_the_rate(world, block_bytes, is_measured):
    ask(world, block_bytes=block_bytes)
    worker = StepWorker(world, "w1")
    work = take(worker)
    infer(worker, work)
    worker.parts.checkpoints.save(work)
    work.saved_blocks = 0  # as if all of it were still to be stored
    stored = BLOCKS * int(block_bytes)
    by_guess = FIXED_SECONDS + stored / FIRST_GUESS_BYTES_PER_SECOND
    assert (worker.parts.checkpoints.save_seconds(work) != by_guess) is is_measured


def test_a_late_upload_leaves_nothing_behind_a_commit(world):
    """The uploading thread is at a checkpoint when the tile is committed: the deletion comes after it."""
    job = ask(world)
    worker = StepWorker(world, "w1")
    work = take(worker)
    infer(worker, work)
    begun = Event()

    def slowly() -> None:
        begun.set()
        work.stop.wait(0.2)
        worker.parts.checkpoints._upload(work, blocks, plan)

    blocks, plan = work.blocks, work.plan
    worker.parts.checkpoints._uploads.submit(slowly)
    assert begun.wait(5)
    worker.parts.steps.upload(work)
    worker.parts.steps.settle(work)
    assert checkpoints_of(world, job) == []


def test_a_tile_that_cannot_end_in_time_is_told_by_when_its_checkpoint_must_be_stored(world):
    ask(world)
    worker = StepWorker(world, "w1")
    work = take(worker)
    work.enter(Stage.INFER)
    work.stage_began -= 100
    work.report_progress(0.1)  # 900 s are left
    departure = Departure("evicted", time.monotonic() + 30, is_eviction=True)
    worker.parts.leaving._stop_hopeless(25.0, departure)
    assert work.stop.is_set()
    assert work.save_by == departure.deadline - HAND_BACK_SECONDS - MOVE_NEEDS_SECONDS


def test_a_tile_that_was_restored_to_nearly_its_end_is_not_taken_for_a_quick_one(world):
    ask(world)
    worker = StepWorker(world, "w1")
    work = take(worker)
    work.enter(Stage.INFER)
    work.progress_before = None
    work.stage_began -= 1
    work.report_progress(0.9)  # restored
    work.report_progress(0.901)  # a thousandth in the second since: 99 are left
    worker.parts.leaving._stop_hopeless(25.0, Departure("evicted", time.monotonic() + 30, is_eviction=True))
    assert work.stop.is_set()
