"""Threads, bounded queues and the order of stopping, tried with plain numbers as items."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from consumer.pipeline import Pipeline, StageSpec


@dataclass(eq=False)
class Box:
    number: int
    seen: list[str] = field(default_factory=list)
    error: BaseException | None = None


def make(*stages):
    pipeline = Pipeline(
        stages,
        has_failed=lambda box: box.error is not None,
        failed=lambda box, error: setattr(box, "error", error),
    )
    pipeline.start()
    return pipeline


def stage(name, run=None, threads=1, always=False):
    def default(box):
        box.seen.append(name)

    return StageSpec(name, run or default, threads=threads, waiting=2, always=always)


def finish(pipeline, boxes):
    for box in boxes:
        pipeline.submit(box)
    pipeline.close()
    assert pipeline.join(20)
    assert pipeline.has_ended.is_set()


def test_every_item_passes_every_stage_once_and_everything_ends():
    boxes = [Box(number) for number in range(50)]
    finish(make(stage("a", threads=3), stage("b"), stage("c", threads=2)), boxes)
    assert all(box.seen == ["a", "b", "c"] for box in boxes)


def test_an_error_travels_inside_its_item_to_the_last_stage_only():
    def break_odd(box):
        if box.number % 2:
            raise ValueError(box.number)
        box.seen.append("a")

    boxes = [Box(number) for number in range(10)]
    pipeline = make(stage("a", break_odd), stage("b"), stage("end", always=True))
    finish(pipeline, boxes)
    assert pipeline.fatal is None
    for box in boxes:
        expected = ["end"] if box.number % 2 else ["a", "b", "end"]
        assert box.seen == expected
        assert (box.error is not None) == bool(box.number % 2)


def test_a_single_threaded_stage_never_runs_two_items_at_once():
    running, most, lock = 0, 0, threading.Lock()
    turn = threading.Barrier(1)

    def watch(_box):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        turn.wait()
        with lock:
            running -= 1

    finish(make(stage("in", threads=4), stage("one", watch)), [Box(number) for number in range(30)])
    assert most == 1


def test_a_full_queue_holds_the_stage_before_it():
    gate, entered = threading.Event(), []

    def wait_at_gate(_box):
        assert gate.wait(20)

    def enter(box):
        entered.append(box.number)

    pipeline = make(stage("in", enter), stage("gate", wait_at_gate))
    feeder = threading.Thread(target=lambda: finish(pipeline, [Box(number) for number in range(20)]))
    feeder.start()
    feeder.join(0.5)
    # One at the gate, two waiting before it, one in the hands of the first stage.
    assert len(entered) <= 4
    gate.set()
    feeder.join(20)
    assert entered == list(range(20))


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_code_that_wants_to_end_the_program_ends_its_item_only(error):
    def run(box):
        if box.number == 1:
            raise error
        box.seen.append("a")

    boxes = [Box(number) for number in range(3)]
    pipeline = make(stage("a", run), stage("end", always=True))
    finish(pipeline, boxes)
    assert pipeline.fatal is None
    assert [box.seen for box in boxes] == [["a", "end"], ["end"], ["a", "end"]]
    assert boxes[1].error is error


def test_a_thread_that_dies_of_the_pipelines_own_fault_is_reported():
    def failed(_box, _error):
        raise RuntimeError("nobody can note the failure")

    def fail(_box):
        raise ValueError("this item is broken")

    pipeline = Pipeline([stage("a", fail)], has_failed=lambda box: False, failed=failed)
    pipeline.start()
    pipeline.submit(Box(1))
    assert pipeline.has_ended.wait(20)
    assert isinstance(pipeline.fatal, RuntimeError)


def test_an_item_that_its_last_stage_cannot_end_is_no_secret():
    def fail(_box):
        raise RuntimeError("nobody ends this item")

    pipeline = make(stage("a"), stage("end", fail, always=True))
    pipeline.submit(Box(1))
    assert pipeline.has_ended.wait(20)
    assert isinstance(pipeline.fatal, RuntimeError)
