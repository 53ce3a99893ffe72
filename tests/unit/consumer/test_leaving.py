"""Leaving: what is handed back, finished or stopped, and where it goes."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from consumer.departure import Departure
from consumer.work import Stage
from contract import ledger_events
from contract.errors import LeaseLost, Stopped, StorageUnavailable
from contract.outcomes import Cause
from contract.tile_id import GridCell
from contract.tile_message import decode_message
from tests.unit.consumer.worker_rig import StepWorker, World

TILES = tuple(GridCell(541, -46 + n) for n in range(4))
ENDED = threading.Event()
ENDED.set()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.ask(*TILES)
    return world


def take(world, fault=None):
    worker = StepWorker(world, "leaver", fault) if fault else StepWorker(world, "leaver")
    return worker, worker.receive(len(TILES))


def departure(*, is_eviction: bool, seconds: float = 20.0) -> Departure:
    return Departure("told to", time.monotonic() + seconds, is_eviction=is_eviction)


def bodies(queue):
    return [decode_message(held.body) for held in queue.receive(32, 1)]


def test_evicted_tiles_go_in_front_uncharged_and_are_free_at_once(world):
    worker, works = take(world)
    worker.parts.leaving.leave(departure(is_eviction=True), ENDED)
    assert [message.tries for message in bodies(world.queues.urgent)] == [{Cause.EVICTED: 1}] * len(works)
    assert world.depths() == (0, len(works), 0)
    assert worker.parts.keeper.held() == []
    worker.parts.reporter._ledger.flush()
    lines = b"".join(world.store.read(name).data for name in world.names("ledger/")).splitlines()
    notices = [line for line in map(json.loads, lines) if line["name"] == ledger_events.EVICTION_NOTICE]
    assert [line["reason"] for line in notices] == ["told to"]


def test_drained_tiles_stay_in_their_queue_as_they_were(world):
    worker, works = take(world)
    worker.parts.leaving.leave(departure(is_eviction=False), ENDED)
    messages = bodies(world.queues.tiles)
    assert [(message.tries, message.returns) for message in messages] == [({}, 1)] * len(works)


def test_who_claims_first_ends_the_message_and_the_other_leaves_it_alone(world):
    worker, works = take(world)
    for work in works:
        assert work.claim()
    worker.parts.leaving.leave(departure(is_eviction=True), ENDED)
    assert world.depths() == (len(works), 0, 0)
    assert bodies(world.queues.tiles) == []  # still leased
    late = worker.receive(1)
    assert late == []


def test_a_tile_handed_back_in_the_middle_is_dropped_by_its_own_thread(world):
    worker, works = take(world)
    worker.parts.leaving.leave(departure(is_eviction=False), ENDED)
    for work in works:
        worker.run(work)
    assert len(bodies(world.queues.tiles)) == len(works)
    assert worker.parts.budget.used_bytes == 0
    assert world.names("datasets/toy-2024") == [
        n for n in world.names("datasets/toy-2024") if "commits" not in n
    ]


def test_settling_a_tile_that_was_handed_back_asks_the_storage_nothing(world):
    requests = []
    worker, (work, *_) = take(world, lambda *request: requests.append(request))
    for stage in (worker.parts.steps.fetch, worker.parts.steps.infer, worker.parts.steps.upload):
        stage(work)
    worker.parts.leaving.free(frozenset(Stage), departure(is_eviction=True))
    requests.clear()
    worker.parts.steps.settle(work)
    assert requests == []
    assert work not in worker.parts.state.in_hand()


@pytest.mark.parametrize(("progress", "is_stopped"), [(0.01, True), (0.5, True), (0.99, False)])
def test_only_an_inference_that_cannot_end_in_time_is_stopped(world, progress, is_stopped):
    worker, (work, *others) = take(world)
    work.enter(Stage.INFER)
    work.stage_began -= 10
    work.report_progress(progress)  # 990, 10 and 0.1 s are left to do
    worker.parts.leaving._stop_hopeless(5.0, departure(is_eviction=True))
    assert work.stop.is_set() is is_stopped
    assert isinstance(work.stop_reason, Stopped) is is_stopped
    assert not any(other.stop.is_set() for other in others)


def test_a_late_attempt_keeps_no_message_for_the_length_of_its_lease(world):
    """Somebody else has committed its tile, and it has not come to its next boundary yet."""
    worker, (late, *_) = take(world)
    late.enter(Stage.INFER)
    late.end_early(LeaseLost("another attempt committed it meanwhile"))
    worker.parts.leaving.leave(departure(is_eviction=False, seconds=5.2), threading.Event())
    assert worker.parts.keeper.held() == []
    assert len(bodies(world.queues.tiles)) == len(TILES)


def test_at_the_deadline_everything_is_handed_back_also_what_is_inferred(world):
    worker, (work, *_) = take(world)
    work.enter(Stage.INFER)
    worker.parts.leaving.leave(departure(is_eviction=False, seconds=5.2), threading.Event())
    assert worker.parts.keeper.held() == []
    assert len(bodies(world.queues.tiles)) == len(TILES)


def test_one_return_that_fails_keeps_no_other(world):
    calls = []

    def fail_second(when, operation, _name):
        if (when, operation) == ("before", "renew"):
            calls.append(operation)
            if len(calls) == 2:
                raise StorageUnavailable("away")
            if len(calls) == 3:
                raise RuntimeError("a bug")

    worker, works = take(world, fail_second)
    worker.parts.leaving.leave(departure(is_eviction=False), ENDED)
    assert len(bodies(world.queues.tiles)) == len(works) - 2
    assert worker.parts.keeper.held() == []
    world.now += 91
    assert len(bodies(world.queues.tiles)) == len(works)


def note_requests(requests):
    return lambda when, operation, _name: requests.append(operation) if when == "before" else None


@pytest.mark.parametrize(("seconds", "each"), [(20.0, ["renew", "send", "complete"]), (2.0, ["renew"])])
def test_a_tile_is_moved_in_front_only_while_there_is_time_for_it(world, seconds, each):
    requests = []
    worker, works = take(world, note_requests(requests))
    requests.clear()
    worker.parts.leaving.leave(departure(is_eviction=True, seconds=seconds), ENDED)
    assert sorted(requests) == sorted(each * len(works))
    queue = world.queues.urgent if seconds > 5 else world.queues.tiles
    assert [message.tries for message in bodies(queue)] == [{Cause.EVICTED: 1}] * len(works)


def test_an_eviction_during_a_drain_ends_it_in_time_and_puts_the_tile_in_front(world):
    worker, (work, *others) = take(world)
    work.enter(Stage.INFER)
    told = []

    def news():
        told.append(departure(is_eviction=True, seconds=5.3))
        return told[0] if len(told) > 2 else None

    obeyed = worker.parts.leaving.leave(Departure("drain", None, is_eviction=False), threading.Event(), news)
    assert obeyed == told[0]
    assert len(bodies(world.queues.tiles)) == len(others)  # freed at once, as a drain frees them
    assert len(bodies(world.queues.urgent)) == 1


def test_time_is_kept_for_the_checkpoint(world):
    worker, (work, *_) = take(world)
    work.enter(Stage.INFER)
    work.stage_began -= 10
    work.report_progress(0.5)  # 10 s are left to do
    asked = []
    leaving = replace(worker.parts.leaving, checkpoint_seconds=lambda work: asked.append(work) or 3.0)
    leaving._stop_hopeless(13.5, departure(is_eviction=True))
    assert not work.stop.is_set()
    leaving._stop_hopeless(12.5, departure(is_eviction=True))
    assert work.stop.is_set()
    assert set(asked) == {work}


def test_tiles_are_freed_before_the_main_thread_has_heard(world):
    worker, works = take(world)
    works[0].enter(Stage.INFER)
    told = iter([None, None, departure(is_eviction=True)])
    worker.parts.leaving.free_when_told(lambda: next(told), threading.Event())
    assert worker.parts.keeper.held() == works[:1]
    assert len(bodies(world.queues.urgent)) == len(works) - 1


def test_nothing_is_freed_by_a_worker_that_stays(world):
    worker, works = take(world)
    worker.parts.leaving.free_when_told(lambda: None, ENDED)
    assert worker.parts.keeper.held() == works
