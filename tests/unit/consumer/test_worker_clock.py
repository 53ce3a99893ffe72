"""The worker's wall clock jumps: leases, job states and stages are timed by clocks that do not."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from contract.completion import completion
from tests.unit.consumer.worker_rig import StepWorker, World

REPOSITORY = Path(__file__).resolve().parents[3]
WORKER_MODULES = sorted((REPOSITORY / "consumer").glob("*.py")) + sorted(
    (REPOSITORY / "consumer" / "stages").glob("*.py")
)
SAYS_WHEN = {
    "fetch_tile.py": "a command for people, no part of a worker",
    "parts.py": "the name of a ledger stream, and the heartbeat's start",
    "poison.py": "when an entry was written, for people",
    "report.py": "ledger lines and heartbeats, for people; readers take the store's clock",
    "selftest.py": "compares the clock with the storage's, which is how a wrong one is found",
    "work.py": "when stages ended, for people",
}
"""Modules that may ask for the time of day, and why nothing is decided by it."""


@pytest.mark.parametrize("jump_seconds", [-86_400, 86_400])
def test_a_wall_clock_that_jumps_in_the_middle_of_a_tile_changes_nothing(tmp_path, monkeypatch, jump_seconds):
    world = World(tmp_path)
    job = world.ask()
    worker = StepWorker(world, "w")
    (work,) = worker.receive()
    kept = worker.parts.keeper._kept[work.attempt]
    due_before = kept.due
    worker.parts.steps.fetch(work)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_seconds)
    assert worker.parts.keeper.renew_due(time.monotonic()) > 0
    assert worker.parts.keeper.held() == [work]
    assert kept.due - due_before < 60
    worker.run(work)
    assert completion(world.store, job.id).committed == 1
    assert world.depths() == (0, 0, 0)


def wall_clock_calls(path: Path) -> set[str]:
    """The calls in a module that ask for the time of day."""
    calls = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    }
    return calls & {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow"}


def test_only_modules_that_tell_people_when_ask_for_the_time_of_day():
    asking = {path.name for path in WORKER_MODULES if wall_clock_calls(path)}
    assert asking <= SAYS_WHEN.keys()
