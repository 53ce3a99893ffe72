"""A drain may wait for a tile for an hour: until that is settled the machine and its job are looked at as before."""

from __future__ import annotations

import pytest

from consumer import cancelled
from consumer.exit_codes import ExitCode
from consumer.fitness import Check
from contract.job import JobState
from tests.unit.consumer.test_worker_threads import Running, until
from tests.unit.consumer.worker_rig import World

BAD_GPU = Check("GPU", "none", "one that answers", is_ok=False)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def leaving(world, told: str) -> Running:
    """A worker that was told so, by its halt file, while it infers a tile of a minute."""
    halt_file = world.folder / "halt.txt"
    running = Running(world, halt_file=halt_file)
    until(lambda: running.parts.state.busy.running == 1, "an inference")
    halt_file.write_text(told)
    until(lambda: running.parts.state.departure, "the worker to leave")
    return running


def test_a_gpu_that_fails_during_a_drain_ends_it(world):
    world.ask(infer_seconds="60")
    running = leaving(world, '{"drain": true}')
    running.parts.health.look = lambda: [BAD_GPU]
    assert running.end() is ExitCode.UNFIT
    assert world.depths() == (1, 0, 0)
    assert running.parts.keeper.held() == []


def test_a_job_that_is_cancelled_during_a_drain_ends_it(world, monkeypatch):
    monkeypatch.setattr(cancelled, "STATE_SECONDS", 0.05)
    job = world.ask(infer_seconds="60")
    running = leaving(world, '{"drain": true}')
    running.parts.cancelled.jobs._state_seconds = -1
    world.set_state(job, JobState.CANCELLED)
    assert running.end() is ExitCode.DONE
    assert world.depths() == (0, 0, 0)


def test_a_machine_that_is_taken_away_is_not_called_unfit(world):
    world.ask(infer_seconds="60")
    running = leaving(world, "")
    running.parts.health.look = lambda: [BAD_GPU]
    assert running.end() is ExitCode.EVICTED
