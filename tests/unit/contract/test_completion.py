"""When a job is complete, and how little it costs to ask while it is not."""

from __future__ import annotations

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.completion import CompletionWatch, completion
from contract.job import JobState
from contract.tile_id import GridCell
from tests.unit.consumer.worker_rig import StepWorker, World

CELLS = tuple(GridCell(541, column) for column in range(-50, -45))


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def run(world: World, count: int) -> None:
    worker = StepWorker(world, "w")
    for work in worker.receive(count):
        worker.run(work)


def test_a_job_is_complete_when_every_tile_is_committed_or_given_up(world):
    job = world.ask(*CELLS)
    watch = CompletionWatch(world.store, job.id)
    assert not watch.is_complete()
    run(world, 3)
    assert not watch.is_complete()
    run(world, 1)
    world.store.create(artifact_names.poison(job.dataset, CELLS[4]), b"{}")
    assert watch.is_complete()
    assert completion(world.store, job.id).is_complete
    counted = completion(world.store, job.id)
    assert (counted.asked, counted.committed, counted.explained) == (5, 4, 1)


def test_a_cancelled_job_is_complete(world):
    job = world.ask(*CELLS)
    watch = CompletionWatch(world.store, job.id)
    assert not watch.is_complete()
    world.set_state(job, JobState.CANCELLED)
    assert watch.is_complete()


@pytest.mark.parametrize("is_given_up", [True, False])
def test_a_look_lists_the_commits_again_only_when_the_missing_tile_is_there(world, is_given_up):
    job = world.ask(*CELLS)
    asked_for = []

    def note(moment: str, operation: str, name: str) -> None:
        if (moment, operation) == ("before", "names"):
            asked_for.append(name)

    watch = CompletionWatch(SimulatedBlobStore(world.container, note), job.id)
    everything = artifact_names.commits_prefix(job.dataset)
    assert not watch.is_complete()
    assert everything in asked_for
    asked_for.clear()
    run(world, 3)
    assert not watch.is_complete()
    assert everything not in asked_for
    if is_given_up:
        world.store.create(artifact_names.poison(job.dataset, CELLS[4]), b"{}")
    else:
        run(world, 2)
    assert watch.is_complete() is not is_given_up
    assert everything in asked_for


def test_a_result_that_is_revoked_while_others_are_awaited_counts_no_longer(world):
    job = world.ask(*CELLS)
    watch = CompletionWatch(world.store, job.id)
    run(world, 4)
    assert not watch.is_complete()
    world.store.create(artifact_names.revocation(job.dataset, CELLS[0], 1), b"{}")
    run(world, 1)
    assert not watch.is_complete()
