"""A job that is cancelled while its tiles are in hand: they stop, and their messages are gone."""

from __future__ import annotations

import pytest

from consumer.job_watch import JobCancelled
from consumer.work import Stage
from contract.errors import Stopped
from contract.job import JobState
from tests.unit.consumer.worker_rig import StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_tile_in_inference_stops_once_its_job_is_cancelled_and_its_message_is_deleted(world):
    job = world.ask()
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    work.enter(Stage.INFER)
    world.set_state(job, JobState.CANCELLED)
    forget_state(worker)

    worker.parts.cancelled.end_cancelled()

    assert work.stop.is_set()
    work.error = Stopped("the recipe was asked to stop")  # all that a recipe knows of it
    worker.parts.steps.settle(work)
    assert world.depths() == (0, 0, 0)
    assert world.published(job) == {}
    assert world.names(f"datasets/{job.dataset}/commits/") == []


def test_what_is_inferred_already_is_committed(world):
    job = world.ask()
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    worker.parts.steps.infer(work)
    world.set_state(job, JobState.CANCELLED)
    forget_state(worker)
    worker.parts.cancelled.end_cancelled()
    assert not work.stop.is_set()
    worker.parts.steps.upload(work)
    worker.parts.steps.settle(work)
    assert len(world.published(job)) == 2


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.PAUSED])
def test_nothing_stops_for_a_job_that_runs_or_is_paused(world, state):
    job = world.ask()
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    world.set_state(job, state)
    forget_state(worker)
    worker.parts.cancelled.end_cancelled()
    assert not work.stop.is_set()


def test_another_jobs_tiles_go_on(world):
    cancelled = world.ask(infer_seconds="1")
    world.ask()
    worker = StepWorker(world, "w")
    works = worker.receive(2)
    world.set_state(cancelled, JobState.CANCELLED)
    forget_state(worker)
    worker.parts.cancelled.end_cancelled()
    stopped = {work.message.job: isinstance(work.stop_reason, JobCancelled) for work in works}
    assert stopped == {work.message.job: work.message.job == cancelled.id for work in works}
    assert len(stopped) == 2


def forget_state(worker: StepWorker) -> None:
    """As if the seconds had passed for which a state is kept."""
    worker.parts.cancelled.jobs._states.clear()
