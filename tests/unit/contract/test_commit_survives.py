"""Commit and publication when requests or answers get lost at any step, and beside other workers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.blob_stores.simulated import SimulatedContainer
from contract.commit import create_commit, publish, revoke
from contract.errors import StorageUnavailable
from tests.unit.contract.attempts import (
    DATASET,
    TILE,
    Attempt,
    FailsAt,
    RunsAt,
    assert_published_whole,
    client,
    staged,
)


def steps_of(run) -> int:
    """How many calls of the hook a run has."""
    hook = RunsAt(-1, None)
    run(hook)
    return hook.calls


def write_points() -> int:
    fault = FailsAt(None)
    Attempt("a1").finish(client(SimulatedContainer(), fault))
    return len(fault.seen)


@pytest.mark.parametrize("step", range(write_points()))
def test_a_worker_that_dies_at_any_write_leaves_a_tile_that_the_next_one_finishes(step):
    container = SimulatedContainer()
    first, second = Attempt("a1"), Attempt("a2")
    with suppress(StorageUnavailable):  # a lost answer to the commit is found out at once
        first.finish(client(container, FailsAt(step)))
    second.finish(client(container))
    assert_published_whole(container, [first, second])
    assert staged(container) == []


@pytest.mark.parametrize("step", range(write_points()))
def test_a_worker_that_repeats_after_any_lost_write_wins_its_own_commit(step):
    container = SimulatedContainer()
    attempt = Attempt("a1")
    with suppress(StorageUnavailable):
        attempt.finish(client(container, FailsAt(step)))
    assert attempt.finish(client(container)) == attempt.record()
    assert_published_whole(container, [attempt])
    assert staged(container) == []


def test_a_commit_whose_answer_was_lost_is_won():
    container = SimulatedContainer()
    attempt = Attempt("a1")
    attempt.upload(client(container))

    def lose_the_answer(moment, operation, name):
        if (moment, operation) == ("after", "create"):
            raise StorageUnavailable("no answer")

    answer = create_commit(client(container, lose_the_answer), attempt.record())
    assert answer.record == attempt.record()


@pytest.mark.parametrize(
    "step", range(steps_of(lambda hook: Attempt("a").finish(client(SimulatedContainer(), hook))))
)
def test_another_worker_that_does_everything_at_any_moment_of_ours_gives_one_result(step):
    container = SimulatedContainer()
    ours, theirs = Attempt("ours"), Attempt("theirs")
    standings = []
    hook = RunsAt(step, lambda: standings.append(theirs.finish(client(container))))
    standings.append(ours.finish(client(container, hook)))
    winner = assert_published_whole(container, [ours, theirs])
    assert standings == [winner.record()] * 2
    assert staged(container) == []


def committed_only():
    """A container with one commit whose artifacts are not published yet."""
    container, old = SimulatedContainer(), Attempt("old")
    old.upload(client(container))
    create_commit(client(container), old.record())
    return container, old


def publish_once(hook):
    container, old = committed_only()
    publish(client(container, hook), old.record())


@pytest.mark.parametrize("step", range(steps_of(publish_once)))
@pytest.mark.parametrize("names", [Attempt("x").names, ("preview/x.png", "new.bin")])
def test_a_publisher_that_stalls_at_any_moment_never_puts_old_bytes_over_newer_ones(step, names):
    container, old = committed_only()
    new = Attempt("new", generation=2, names=names)

    def redo_the_tile():
        other = client(container)
        publish(other, old.record())
        revoke(other, DATASET, TILE, 1, "redo")
        new.upload(other)
        # Its worker dies before it clears the staging: the old uploads can still be copied.
        publish(other, create_commit(other, new.record()).record)

    publish(client(container, RunsAt(step, redo_the_tile)), old.record())
    assert_published_whole(container, [old, new], generation=2)


class Turns:
    """Lets several threads make their storage calls one at a time, in the order of a schedule."""

    def __init__(self, schedule, workers):
        self.schedule = iter(schedule)
        self.alive = list(range(workers))
        self.begun = set()
        self.changed = threading.Condition()
        self.turn = self._next()

    def hook(self, worker):
        def wait_for_turn(moment, operation, name):
            if moment == "before":
                with self.changed:
                    if worker in self.begun:
                        self._pass_on()
                    self.begun.add(worker)
                    assert self.changed.wait_for(lambda: self.turn == worker, timeout=30)

        return wait_for_turn

    def leave(self, worker):
        with self.changed:
            self.alive.remove(worker)
            self._pass_on()

    def _pass_on(self):
        self.turn = self._next()
        self.changed.notify_all()

    def _next(self):
        return self.alive[next(self.schedule, 0) % len(self.alive)] if self.alive else None


def run_by_turns(schedule, *jobs):
    """Run each `job(store)` in a thread of its own on one container; the schedule says whose call is next."""
    container, turns = SimulatedContainer(), Turns(schedule, len(jobs))

    def run(worker, job):
        try:
            job(client(container, turns.hook(worker)))
        finally:
            turns.leave(worker)

    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(run, worker, job) for worker, job in enumerate(jobs)]:
            future.result()
    return container


SCHEDULES = st.lists(st.integers(0, 5), max_size=120)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(schedule=SCHEDULES)
def test_three_workers_in_any_order_of_their_storage_calls_give_one_result(schedule):
    attempts = [Attempt("a1"), Attempt("a2"), Attempt("a3")]
    container = run_by_turns(schedule, *[attempt.finish for attempt in attempts])
    assert_published_whole(container, attempts)
    assert staged(container) == []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(schedule=SCHEDULES)
def test_a_redo_beside_two_late_workers_ends_with_the_new_generations_bytes(schedule):
    first, late, new = Attempt("a1"), Attempt("late"), Attempt("new", generation=2)

    def redo(store):
        first.finish(store)
        revoke(store, DATASET, TILE, 1, "redo")
        new.finish(store)

    container = run_by_turns(schedule, redo, late.finish)
    assert_published_whole(container, [first, late, new], generation=2)
    assert staged(container) == []
