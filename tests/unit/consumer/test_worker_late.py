"""Attempts that come late, lose their lease or lose their disk: what they leave alone and what they clear up."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from contract import artifact_names
from contract.commit import create_commit, read_commit, revoke
from contract.completion import completion
from contract.errors import LeaseLost, NotFound
from contract.tile_message import TileMessage
from tests.unit.consumer.worker_rig import TILE, StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_tile_whose_workers_died_after_the_commit_is_settled_and_not_poisoned(world):
    job = world.ask()
    StepWorker(world, "w").work_until_empty()
    message = TileMessage(job.id, job.dataset, TILE, solo_deaths=3)
    world.queues.tiles.send(message.encode())
    StepWorker(world, "w2").work_until_empty()
    assert world.depths() == (0, 0, 0)
    assert world.names("poison/") == []


def until_upload(world, name):
    """A worker with a tile that is uploaded and not settled."""
    worker = StepWorker(world, name)
    (work,) = worker.receive()
    for stage in (worker.parts.steps.fetch, worker.parts.steps.infer, worker.parts.steps.upload):
        stage(work)
    return worker, work


def test_an_attempt_whose_uploads_were_cleared_by_who_committed_settles_and_blames_nobody(world):
    job = world.ask()
    rival = StepWorker(world, "rival")
    world_was_told = []

    def clear_under_us(moment, operation, name):
        if (moment, operation) == ("after", "upload") and not world_was_told:
            world_was_told.append(name)
            world.now += 100  # our lease runs out: the rival takes the tile, commits and clears
            rival.work_until_empty()
            raise NotFound(f"looking at {name}: 404 BlobNotFound")

    late = StepWorker(world, "late", clear_under_us)
    (work,) = late.receive()
    late.run(work)
    assert work.error is None
    assert read_commit(world.store, job.dataset, TILE, 1).record.done["worker"] == "rival"
    assert world.names("staging/") == []
    assert world.depths() == (0, 0, 0)


def test_a_generation_revoked_before_it_had_a_result_is_dropped(world):
    job = world.ask()
    worker, work = until_upload(world, "late")
    world.store.create(artifact_names.revocation(job.dataset, TILE, 1), b"{}")
    worker.parts.steps.settle(work)
    assert work.error is None
    assert read_commit(world.store, job.dataset, TILE, 1) is None
    assert world.depths() == (0, 0, 0)


def test_a_late_worker_of_an_old_generation_settles_and_leaves_the_newer_result(world):
    job = world.ask()
    worker, late = until_upload(world, "late")
    quick = replace(late.commit, attempt="quick", artifacts=())
    create_commit(world.store, quick)
    revoke(world.store, job.dataset, TILE, 1, "redo")
    create_commit(world.store, replace(quick, generation=2, attempt="newer"))
    worker.parts.steps.settle(late)
    assert world.depths() == (0, 0, 0)
    assert read_commit(world.store, job.dataset, TILE, 2).is_published
    assert world.published(job) == {}


def test_a_lost_lease_touches_nothing(world):
    job = world.ask()
    worker, work = until_upload(world, "slow")
    world.now += 91
    (held,) = world.queues.tiles.receive(1, 90)
    worker.parts.steps.settle(work)
    assert completion(world.store, job.id).committed == 0
    assert world.names("staging/") != []  # nobody is committed: it is cleared by whoever will be
    world.queues.tiles.complete(held)  # still the other one's
    with pytest.raises(LeaseLost):
        worker.parts.keeper.renew_now(work)


def test_a_late_attempt_whose_tile_was_committed_by_another_removes_its_own_uploads(world):
    job = world.ask()
    worker, work = until_upload(world, "slow")
    world.now += 91
    StepWorker(world, "quick").work_until_empty()
    assert world.names("staging/") == []
    worker.parts.steps.upload(work)
    worker.parts.steps.settle(work)
    assert world.names("staging/") == []
    assert read_commit(world.store, job.dataset, TILE, 1).record.done["worker"] == "quick"


def test_an_attempt_that_loses_its_lease_between_two_uploads_removes_the_first(world):
    world.ask()

    def lose(when, operation, _name):
        if (when, operation) == ("after", "upload"):
            work.end_early(LeaseLost("somebody else has it"))

    worker = StepWorker(world, "slow", lose)
    (work,) = worker.receive()
    worker.run(work)
    assert isinstance(work.error, LeaseLost)
    assert world.names("staging/") == []


def test_a_scratch_folder_that_vanishes_while_writing_costs_a_second_writing(world):
    job = world.ask()
    worker = StepWorker(world, "w", patience_seconds=60)
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    write, calls = work.recipe.write, []

    def write_and_lose(prepared, result, folder):
        calls.append(folder)
        if len(calls) == 1:
            shutil.rmtree(worker.settings.scratch_folder)
        return write(prepared, result, folder)

    work.recipe.write = write_and_lose
    worker.parts.steps.infer(work)
    worker.parts.steps.upload(work)
    worker.parts.steps.settle(work)
    assert len(calls) == 2
    assert completion(world.store, job.id).committed == 1


def test_the_sixth_worker_of_a_tile_that_killed_five_the_last_three_alone_gives_it_up(world):
    job = world.ask()
    for number in range(5):
        worker = StepWorker(world, f"w{number}")
        (work,) = worker.receive()
        assert work.is_solo is (number >= 2)
        assert work.message.solo_deaths == max(0, number - 2)
        worker.parts.steps.fetch(work)  # prepared it, and died
        world.now += 91
    assert StepWorker(world, "w5").receive() == []
    assert world.depths() == (0, 0, 1)
    assert completion(world.store, job.id).explained == 1


def test_workers_that_die_before_they_prepare_a_tile_do_not_make_it_a_suspect(world):
    world.ask()
    for number in range(6):
        worker = StepWorker(world, f"w{number}")
        (work,) = worker.receive()
        assert not work.is_solo
        assert work.message.tries == {}
        world.now += 91
