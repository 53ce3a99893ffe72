"""What a worker does with tiles, jobs and datasets that are not as they should be: its real parts, no threads."""

from __future__ import annotations

import json

import pytest

from contract import artifact_names
from contract.completion import completion
from contract.errors import GiveUp, Stopped, StorageUnavailable, TryLater, WorkerUnfit
from contract.job import JobState
from contract.outcomes import Cause
from contract.tile_message import decode_message
from tests.unit.consumer.worker_rig import TILE, StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def run_one(world, name="w", **settings):
    worker = StepWorker(world, name, **settings)
    (work,) = worker.receive()
    return worker, worker.run(work)


def waiting(world, seconds=0.0):
    """The messages that become visible within so many seconds."""
    world.now += seconds
    queues = world.queues
    return [
        decode_message(held.body) for queue in (queues.tiles, queues.urgent) for held in queue.receive(32, 1)
    ]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda job: artifact_names.job_record(job.id), "there is no job"),
        (lambda job: artifact_names.dataset_record(job.dataset), "there is no dataset"),
        (lambda job: artifact_names.boundaries("0" * 64), "enqueue again"),
    ],
)
def test_a_missing_record_is_the_tiles_fault_and_the_second_time_poison(world, damage, words):
    job = world.ask()
    world.store.delete(damage(job))
    run_one(world, "w1")
    world.now += 61
    run_one(world, "w2")
    assert world.depths() == (0, 0, 1)
    entry = json.loads(world.store.read(artifact_names.poison(job.dataset, TILE)).data)
    assert words in entry["reason"]


@pytest.mark.parametrize(
    "name",
    [
        lambda job: artifact_names.job_record(job.id),
        lambda job: artifact_names.job_state(job.id),
        lambda job: artifact_names.dataset_record(job.dataset),
        lambda job: artifact_names.commit(job.dataset, TILE, 1),
    ],
)
def test_a_corrupt_record_ends_the_tile_and_not_the_worker(world, name):
    job = world.ask()
    world.store.put(name(job), b'{"v":1,"x":')
    _, work = run_one(world)
    assert work.error is not None
    (message,) = waiting(world, 61)
    assert message.tries == {Cause.TILE: 1}


def test_a_recipe_that_is_not_installed_makes_the_worker_unfit(world):
    world.ask(recipe="no-such-recipe")
    worker, _ = run_one(world)
    assert "no-such-recipe" in worker.parts.state.unfit
    assert [(message.tries, message.harmed) for message in waiting(world)] == [({}, ())]


def test_a_worker_with_other_weights_is_unfit_for_the_dataset(world, tmp_path):
    weights = tmp_path / "other.pt"
    weights.write_bytes(b"other")
    world.ask()
    worker, _ = run_one(world, weights=weights)
    assert "wrong weights" in worker.parts.state.unfit


def test_an_unfit_worker_knows_it_even_when_the_storage_is_away(world):
    world.ask(fault="worker")

    def away(_when, operation, _name):
        if operation == "renew":
            raise StorageUnavailable("away")

    worker = StepWorker(world, "w", away)
    (work,) = worker.receive()
    worker.run(work)
    assert "ECC" in worker.parts.state.unfit


@pytest.mark.parametrize("state", [JobState.PAUSED, JobState.CANCELLED])
def test_a_job_that_is_stopped_while_a_tile_downloads_is_not_inferred(world, state):
    job = world.ask()
    worker = StepWorker(world, "w")
    worker.parts.steps.download.jobs._state_seconds = -1  # look each time
    (work,) = worker.receive()
    recipe = worker.parts.steps.download.datasets.recipe(work.message, job.settings)
    recipe.download = lambda *_: world.set_state(job, state)
    recipe.infer = None
    worker.run(work)
    assert completion(world.store, job.id).committed == 0
    if state is JobState.CANCELLED:
        assert world.depths() == (0, 0, 0)
    else:
        assert waiting(world, 29) == []
        assert [message.tries for message in waiting(world, 2)] == [{}]


@pytest.mark.parametrize("trouble", [StorageUnavailable("away"), RuntimeError("nobody foresaw this")])
def test_trouble_with_one_message_keeps_no_other_tile(world, trouble):
    """A poison entry that cannot be written: the tile received before it is run all the same."""
    world.ask()
    world.queues.tiles.send("not ours")

    def away(_when, _operation, name):
        if name.startswith("poison/"):
            raise trouble

    worker = StepWorker(world, "w", away)
    (work,) = worker.receive(8)
    worker.run(work)
    assert worker.parts.keeper.held() == []
    assert world.depths() == (1, 0, 0)  # the foreign one waits for its lease to end
    assert StepWorker(world, "next").work_until_empty() == []
    assert world.depths() == (0, 0, 1)


@pytest.mark.parametrize(
    ("error", "tries", "pause"),
    [
        (SystemExit(3), {Cause.TILE: 1}, 60),
        (KeyboardInterrupt(), {Cause.TILE: 1}, 60),
        (GiveUp("bad"), {Cause.TILE: 1}, 60),
        (Stopped("for no reason"), {Cause.TILE: 1}, 60),
        (TryLater("503"), {Cause.SOURCE: 1}, 30),
        (WorkerUnfit("ECC"), {Cause.WORKER: 1}, 0),
        (MemoryError(), {Cause.WORKER: 1}, 0),
    ],
)
def test_each_end_of_a_recipe_goes_back_with_its_cause_and_pause(world, error, tries, pause):
    world.ask()
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    work.error = error
    worker.parts.steps.settle(work)
    assert waiting(world, pause - 1) == [] or pause == 0
    assert [message.tries for message in waiting(world, 1)] in ([tries], [])
    assert worker.parts.keeper.held() == []


def test_a_bug_is_poisoned_with_where_it_was_raised(world):
    job = world.ask()
    for number in range(2):
        worker = StepWorker(world, f"w{number}")
        (work,) = worker.receive()
        worker.parts.steps.fetch(work)
        work.recipe.infer = lambda *_: 1 / 0
        worker.run(work)
        world.now += 61
    entry = json.loads(world.store.read(artifact_names.poison(job.dataset, TILE)).data)
    assert any("1 / 0" in line for line in entry["log_lines"])
    assert "ZeroDivisionError" in entry["reason"]
