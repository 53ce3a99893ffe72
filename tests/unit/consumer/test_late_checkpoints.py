"""An attempt that goes on while another one commits its tile ends at its next save, and leaves no checkpoint behind."""

from __future__ import annotations

import pytest

from consumer.checkpoints.shelf import MOST_REFUSALS
from contract import artifact_names
from contract.errors import LeaseLost, NotAllowed, Stopped, StorageUnavailable
from tests.unit.consumer.checkpoint_rig import (
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
from tests.unit.consumer.worker_rig import LEASE_SECONDS, TILE, StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def lose(world: World) -> None:
    """Another worker takes the tile after the lease, and commits it."""
    world.now += LEASE_SECONDS + 1
    complete(world, "rival")


def save_after_the_lease(world: World, work, worker: StepWorker) -> None:
    """The attempt saves four blocks, and is told only then that its lease is gone."""
    stop_after(work, 4)
    infer(worker, work)
    worker.parts.checkpoints.save(work)
    work.error = LeaseLost("somebody else has it")
    worker.parts.steps.settle(work)


def test_an_attempt_ends_at_its_next_save_once_another_one_has_committed_its_tile(world):
    job = ask(world)
    worker = StepWorker(world, "late", checkpoint_every_seconds=0.05, checkpoint_tiles_over_seconds=0)
    work = take(worker)
    finish = work.blocks.finish

    def finish_and_lose(*buffers):
        finish(*buffers)
        if work.blocks.finished == 2:
            lose(world)
            assert work.stop.wait(30)

    work.blocks.finish = finish_and_lose
    with pytest.raises((LeaseLost, Stopped)) as ended:
        worker.parts.steps.infer(work)
    assert "committed it meanwhile" in str(work.stop_reason)
    assert work.blocks.finished == 2
    work.error = ended.value
    worker.parts.steps.settle(work)
    assert checkpoints_of(world, job) == []
    assert world.depths() == (0, 0, 0)
    assert_as_undisturbed(world, job)


def test_what_was_saved_after_anothers_commit_is_deleted(world):
    job = ask(world)
    worker = StepWorker(world, "late")
    work = take(worker)
    lose(world)
    save_after_the_lease(world, work, worker)
    assert checkpoints_of(world, job) == []


def test_what_was_saved_of_a_tile_that_nobody_committed_stays_for_the_next_attempt(world):
    job = ask(world)
    worker = StepWorker(world, "late")
    work = take(worker)
    save_after_the_lease(world, work, worker)
    assert checkpoints_of(world, job) == [f"{work.attempt}/000004"]
    world.now += LEASE_SECONDS + 1
    assert complete(world).commit.done["resumed_blocks"] == 4
    assert checkpoints_of(world, job) == []


def test_a_recipe_that_knows_only_that_it_was_stopped_has_lost_its_lease_all_the_same(world):
    ask(world)
    worker = StepWorker(world, "late")
    work = take(worker)
    before = work.held
    work.end_early(LeaseLost("somebody else has it"))
    work.error = Stopped("in the middle of a block")
    worker.parts.steps.settle(work)
    world.queues.tiles.renew(before, LEASE_SECONDS)  # nobody changed it


def test_a_generation_that_was_revoked_leaves_no_checkpoint_behind(world):
    job = ask(world)
    interrupt(world, "first", 2)
    worker = StepWorker(world, "late")
    work = take(worker)
    world.store.create(artifact_names.revocation(job.dataset, TILE, 1), b"{}")
    finish(worker, work)
    assert work.commit is not None
    assert world.depths() == (0, 0, 0)
    assert checkpoints_of(world, job) == []


@pytest.mark.parametrize("refusal", [NotAllowed("403"), StorageUnavailable("away")])
def test_a_checkpoint_that_cannot_be_deleted_keeps_none_of_the_others(world, refusal):
    job = ask(world)
    for blocks in (2, 3, 4):
        interrupt(world, f"until-{blocks}", blocks)
    refused, *others = checkpoints_of(world, job)
    assert len(others) == 2

    def refuse(moment, operation, name):
        if moment == "before" and operation == "delete" and name.endswith(refused):
            raise refusal

    worker = StepWorker(world, "last", refuse)
    finish(worker, take(worker))
    assert checkpoints_of(world, job) == [refused]
    assert_as_undisturbed(world, job)


def test_a_storage_that_deletes_nothing_is_not_asked_for_ever(world):
    job = ask(world)
    for blocks in range(1, 6):
        interrupt(world, f"until-{blocks}", blocks)
    asked = []

    def refuse(moment, operation, name):
        if moment == "before" and operation == "delete" and name.startswith("checkpoints/"):
            asked.append(name)
            raise StorageUnavailable("away")

    worker = StepWorker(world, "last", refuse)
    finish(worker, take(worker))
    assert len(asked) == MOST_REFUSALS
    assert_as_undisturbed(world, job)
