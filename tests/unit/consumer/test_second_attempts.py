"""A second attempt beside the message's holder: raced, died and given up in every order, committed once."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from consumer.departure import Departure
from consumer.work import Stage
from contract import artifact_names
from contract.commit import read_commit
from contract.completion import completion
from contract.errors import GiveUp, Stopped, StorageUnavailable, WorkerUnfit
from contract.job import JobState
from contract.second_attempt import claim_second_attempt
from tests.unit.consumer.worker_rig import LEASE_SECONDS, TILE, StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Tail:
    """One tile that a worker holds, renews and says nothing more about."""

    def __init__(self, world: World, *, second_attempts: int = 1, state: JobState = JobState.RUNNING) -> None:
        self.world = world
        self.job = replace(world.ask(), second_attempts=second_attempts)
        world.store.put(artifact_names.job_record(self.job.id), self.job.encode())
        self.holder = StepWorker(world, "holder")
        (self.held,) = self.holder.receive()
        self.holder.parts.reporter._heartbeat()
        world.set_state(self.job, state)
        self.pass_silence()

    def pass_silence(self) -> None:
        """Longer than anybody is silent without a reason, the lease kept all the while."""
        for _ in range(3):
            self.world.now += LEASE_SECONDS - 30
            self.holder.parts.keeper.renew_now(self.held)

    def commits(self) -> list[str]:
        return self.world.names(artifact_names.commits_prefix(self.job.dataset))

    def winner(self) -> str:
        committed = read_commit(self.world.store, self.job.dataset, TILE, 1)
        assert committed is not None
        assert committed.is_published
        return committed.record.done["worker"]


def idle(world: World, name: str = "idle", **settings) -> StepWorker:
    worker = StepWorker(world, name, **settings)
    assert worker.receive() == []
    return worker


def second(worker: StepWorker):
    work = worker.parts.second_attempts.take()
    if work is not None:
        worker.parts.state.on_received(work)
    return work


def test_a_silent_holders_tile_is_committed_by_an_idle_worker_and_settled_by_its_holder(world):
    tail = Tail(world)
    worker = idle(world)
    worker.run(second(worker))
    assert world.depths() == (1, 0, 0)  # its message is not ours to delete
    tail.holder.run(tail.held)
    assert (tail.winner(), len(tail.commits())) == ("idle", 1)
    assert world.depths() == (0, 0, 0)
    assert world.names("staging/") == []
    assert worker.parts.keeper.held() == worker.parts.state.in_hand() == []


def test_a_holder_that_finishes_first_keeps_its_result(world):
    tail = Tail(world)
    worker = idle(world)
    work = second(worker)
    tail.holder.run(tail.held)
    worker.run(work)
    assert work.is_done_before
    assert (tail.winner(), len(tail.commits())) == ("holder", 1)


def test_a_second_attempt_is_stopped_once_its_holder_has_committed(world):
    tail = Tail(world)
    worker = idle(world)
    attempts = worker.parts.second_attempts
    work = second(worker)
    attempts.pause_seconds = attempts._next_look = 0
    attempts.end_if_done()
    assert not work.stop.is_set()
    worker.parts.steps.fetch(work)
    worker.parts.steps.infer(work)
    tail.holder.run(tail.held)
    attempts.end_if_done()
    assert work.stop.is_set()
    worker.run(work)
    assert (tail.winner(), world.depths()) == ("holder", (0, 0, 0))
    assert world.names("staging/") == []
    assert worker.parts.state.in_hand() == []


def test_both_upload_before_either_commits_and_one_of_them_wins(world):
    tail = Tail(world)
    worker = idle(world)
    work = second(worker)
    for parts, one in ((tail.holder.parts, tail.held), (worker.parts, work)):
        for stage in (parts.steps.fetch, parts.steps.infer, parts.steps.upload):
            stage(one)
    worker.parts.steps.settle(work)
    tail.holder.parts.steps.settle(tail.held)
    assert (tail.winner(), len(tail.commits())) == ("idle", 1)
    assert world.depths() == (0, 0, 0)
    assert world.names("staging/") == []


def test_of_many_idle_workers_one_makes_the_attempt(world):
    Tail(world)
    works = [second(idle(world, f"idle{number}")) for number in range(4)]
    assert [work is not None for work in works] == [True, False, False, False]


def test_a_claim_whose_maker_died_is_followed_by_the_next_up_to_the_jobs_limit(world):
    tail = Tail(world, second_attempts=2)
    assert second(idle(world, "dies"))
    assert second(idle(world, "early")) is None
    for _ in range(2):
        tail.pass_silence()
    assert second(idle(world, "later"))
    for _ in range(5):
        tail.pass_silence()
    assert second(idle(world, "late")) is None
    assert len(world.names("second/")) == 2
    tail.holder.run(tail.held)
    assert tail.winner() == "holder"


@pytest.mark.parametrize(
    "error", [GiveUp("3 bands"), Stopped("drained"), StorageUnavailable("away"), ValueError()]
)
def test_an_error_of_a_second_attempt_charges_nobody_and_touches_no_message(world, error):
    tail = Tail(world)
    before = tail.held.held
    worker = idle(world)
    work = second(worker)
    work.error = error
    worker.run(work)
    assert world.depths() == (1, 0, 0)
    assert worker.parts.state.unfit == ""
    assert worker.parts.keeper.held() == []
    tail.holder.parts.keeper.renew_now(tail.held)  # nobody changed it
    assert tail.held.held.body == before.body
    tail.holder.run(tail.held)
    assert completion(world.store, tail.job.id).is_complete


def test_a_machine_that_fails_in_a_second_attempt_is_unfit_all_the_same(world):
    Tail(world)
    worker = idle(world)
    work = second(worker)
    work.error = WorkerUnfit("ECC")
    worker.run(work)
    assert worker.parts.state.unfit == "ECC"
    assert world.depths() == (1, 0, 0)


@pytest.mark.parametrize("state", [JobState.PAUSED, JobState.CANCELLED])
def test_a_job_that_rests_gets_no_second_attempts(world, state):
    Tail(world, state=state)
    assert second(idle(world)) is None
    assert world.names("second/") == []


def test_a_job_that_did_not_ask_for_second_attempts_gets_none(world):
    Tail(world, second_attempts=0)
    assert second(idle(world)) is None
    assert world.names("second/") == []


def test_a_tile_that_is_committed_already_gets_none(world):
    tail = Tail(world)
    tail.holder.run(tail.held)
    assert second(idle(world)) is None


def test_a_worker_that_leaves_drops_its_second_attempt_at_once(world):
    Tail(world)
    worker = idle(world)
    work = second(worker)
    worker.parts.steps.fetch(work)
    worker.parts.leaving.free(frozenset(), Departure("drained", None, is_eviction=False))
    assert worker.parts.keeper.held() == []
    assert work.stop.is_set()
    worker.run(work)
    assert world.depths() == (1, 0, 0)
    assert world.names("second/") != []


def test_a_second_attempt_without_progress_ends_its_worker_as_any_other(world):
    Tail(world)
    worker = idle(world)
    work = second(worker)
    worker.parts.steps.fetch(work)
    work.enter(Stage.INFER)
    work.last_progress -= worker.settings.infer_limit_seconds + 1
    worker.parts.keeper.renew_due(time.monotonic() + LEASE_SECONDS)
    assert "infer made no progress" in worker.parts.state.stuck


def test_a_claim_whose_answer_was_lost_is_ours_when_we_ask_again(world):
    claim = {"attempt": "a1", "limit": 1, "old_seconds": 60.0}
    assert claim_second_attempt(world.store, "d-2024-0", TILE, 1, **claim) == 1
    assert claim_second_attempt(world.store, "d-2024-0", TILE, 1, **claim) == 1
    assert claim_second_attempt(world.store, "d-2024-0", TILE, 1, **{**claim, "attempt": "a2"}) is None


def test_a_storage_that_is_away_is_no_reason_to_end(world):
    def away(_when, operation, _name):
        if operation == "listing":
            raise StorageUnavailable("away")

    Tail(world)
    assert second(StepWorker(world, "idle", away)) is None
