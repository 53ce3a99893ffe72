"""Messages of cancelled and paused jobs: what they cost, and that nobody else's tiles wait or suffer."""

from __future__ import annotations

from collections import Counter

import pytest

from contract import artifact_names
from contract.completion import completion
from contract.errors import StorageUnavailable
from contract.job import JobState
from contract.outcomes import Cause
from contract.tile_id import GridCell
from contract.tile_message import TileMessage, decode_message
from tests.unit.consumer.worker_rig import TILE, StepWorker, World

MANY = tuple(GridCell(row, column) for row in range(500, 532) for column in range(-60, -40))
"""640 tiles."""


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Requests:
    """Counts the requests that a worker makes."""

    def __init__(self):
        self.names: Counter[str] = Counter()

    def __call__(self, when, operation, _name):
        self.names[operation] += when == "before"


def test_a_cancelled_job_goes_in_full_batches_with_one_delete_each_and_nothing_else(world):
    job = world.ask(*MANY, state=JobState.CANCELLED)
    requests = Requests()
    worker = StepWorker(world, "tidy", requests)
    rounds = 0
    while world.depths() != (0, 0, 0):
        assert worker.receive(1) == []
        assert worker.parts.receive.is_clearing
        rounds += 1
    batches = 1 + -(-639 // 32)  # the first asks for as many tiles as there is room for
    assert rounds == batches
    # Each round looks into the urgent queue first. The job's state is read once.
    assert requests.names == {"complete": 640, "receive": 2 * batches, "read": 1}
    assert worker.receive(1) == []
    assert not worker.parts.receive.is_clearing
    assert completion(world.store, job.id).is_complete


def test_a_cancelled_jobs_messages_are_in_the_ledger(world):
    world.ask(*MANY[:3], state=JobState.CANCELLED)
    worker = StepWorker(world, "tidy")
    worker.receive(3)
    worker.parts.reporter._ledger.flush()
    (name,) = world.names("ledger/")
    assert world.store.read(name).data.count(b'"name":"cancelled"') == 3


def test_another_jobs_tiles_among_cancelled_ones_are_worked_on_and_the_surplus_goes_back_uncharged(world):
    world.ask(*MANY[:40], state=JobState.CANCELLED)
    other = world.ask(*MANY[100:110], seed="7")
    worker = StepWorker(world, "w")
    assert worker.receive(8) == []
    works = worker.receive(2)
    while not works:
        works = worker.receive(2)
    assert [work.message.job for work in works] == [other.id] * 2
    assert not worker.parts.receive.is_clearing
    left = [decode_message(held.body) for held in world.queues.tiles.receive(32, 30)]
    assert len(left) == 8
    assert all(message.job == other.id and not message.tries for message in left)
    world.now += 31
    for work in works:
        worker.run(work)
    StepWorker(world, "next").work_until_empty()
    assert completion(world.store, other.id).committed == 10


def test_a_paused_jobs_tiles_are_hidden_uncharged_by_one_update_each(world):
    job = world.ask(*MANY[:20], state=JobState.PAUSED)
    requests = Requests()
    worker = StepWorker(world, "w", requests)
    while worker.parts.receive.is_clearing or not requests.names:
        assert worker.receive(8) == []
    assert requests.names["renew"] == 20
    assert requests.names["complete"] == 0
    world.now += 29
    assert worker.receive(8) == []
    world.set_state(job, JobState.RUNNING)
    world.now += 2
    works = StepWorker(world, "next").receive(8)
    assert [(work.message.tries, work.message.fruitless) for work in works] == [({}, 0)] * 8


@pytest.mark.parametrize(("paused_seconds", "hidden_seconds"), [(0, 30), (200, 200), (86400, 600)])
def test_a_paused_jobs_tiles_are_hidden_for_as_long_as_the_pause_has_lasted_within_bounds(
    world, paused_seconds, hidden_seconds
):
    job = world.ask(state=JobState.PAUSED)
    world.now += paused_seconds
    assert StepWorker(world, "w").receive() == []
    world.set_state(job, JobState.RUNNING)
    world.now += hidden_seconds - 1
    assert StepWorker(world, "early").receive() == []
    world.now += 1
    assert len(StepWorker(world, "next").receive()) == 1


def test_a_pause_neither_charges_nor_forgives_a_death_before_it(world):
    job = world.ask()
    dead = StepWorker(world, "dead")
    (work,) = dead.receive()
    dead.parts.steps.fetch(work)
    world.now += 91
    world.set_state(job, JobState.PAUSED)
    assert StepWorker(world, "w").receive() == []
    world.set_state(job, JobState.RUNNING)
    world.now += 601
    (work,) = StepWorker(world, "next").receive()
    assert work.message.tries == {Cause.SILENT_DEATH: 1}
    assert work.message.fruitless == 1


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.PAUSED])
def test_trouble_with_one_message_leaves_that_one_to_its_lease(world, state):
    world.ask(*MANY[:10], state=state)
    world.now += 600  # so that the others of a paused job stay away for longer than a lease
    failed = []

    def unlucky(when, operation, _name):
        if when == "before" and operation in {"complete", "renew"} and not failed:
            failed.append(operation)
            raise StorageUnavailable("away")

    worker = StepWorker(world, "w", unlucky)
    worker.receive(10)
    assert len(failed) == 1
    world.now += 91
    assert len(world.queues.tiles.receive(32, 1)) == 1


@pytest.mark.parametrize("state", [JobState.FINISHED, None])
def test_a_finished_job_and_one_that_nobody_knows_end_no_worker(world, state):
    job = world.ask()
    if state is None:
        world.store.delete(artifact_names.job_record(job.id))
        world.store.delete(artifact_names.job_state(job.id))
    else:
        world.set_state(job, state)
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    worker.run(work)
    assert (work.error is None) is (state is JobState.FINISHED)
    assert worker.parts.keeper.held() == []


@pytest.mark.parametrize("what", ["corrupt", "away"])
def test_a_state_that_cannot_be_read_cancels_nothing(world, what):
    job = world.ask(state=JobState.CANCELLED)
    name = artifact_names.job_state(job.id)
    if what == "corrupt":
        world.store.put(name, b"{")

    def away(_when, operation, blob):
        if what == "away" and blob == name and operation == "read":
            raise StorageUnavailable("away")

    (work,) = StepWorker(world, "w", away).receive()
    assert work.message == TileMessage(job.id, job.dataset, TILE)
