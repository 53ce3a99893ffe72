"""How many tiles to hold, from measured times and bytes."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.prefetch import ByteBudget, StageTimes, stage_limit_seconds, tiles_in_flight


@pytest.mark.parametrize(
    ("outside", "infer", "wanted"),
    [
        (1.43, 2.62, 2),  # the measured 136 + 7 and 262 s, by 100: two suffice
        (1.43, 1.00, 3),  # quick inference: two downloading, one inferring
        (143, 262, 2),
        (1.0, 1.0, 2),
        (1.01, 1.0, 2),  # within the slack: one more would only cost memory
        (10.0, 0.5, 21),
        (0.0, 5.0, 2),
        (5.0, 0.0, 32),
    ],
)
def test_tiles_in_flight_keep_inference_fed_and_no_more(outside, infer, wanted):
    assert tiles_in_flight(outside, infer) == wanted


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_enough_tiles_come_in_while_one_is_inferred(outside, infer):
    count = tiles_in_flight(outside, infer, most=10**9)
    assert count * infer >= (outside + infer) * 0.97
    assert count == 2 or (count - 1) * infer < outside + infer


def test_one_odd_tile_does_not_swing_the_number():
    times = StageTimes()
    assert times.wanted(most=8) == 2
    for _ in range(9):
        times.add(outside_seconds=1.43, infer_seconds=1.0)
    times.add(outside_seconds=60.0, infer_seconds=0.01)
    assert times.wanted(most=8) == 3


def test_a_stage_limit_is_five_times_what_it_took_and_never_below_its_floor():
    assert stage_limit_seconds([], floor_seconds=900) == 900
    assert stage_limit_seconds([1.0] * 50, floor_seconds=900) == 900
    assert stage_limit_seconds([300.0] * 50, floor_seconds=900) == 1500


def test_bytes_stay_within_the_limit_and_a_waiting_tile_gets_room():
    budget, stop = ByteBudget(100), threading.Event()
    assert budget.reserve(60, stop)
    got_room = threading.Event()

    def second():
        assert budget.reserve(60, stop)
        got_room.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not got_room.wait(0.3)
    budget.release(60)
    assert got_room.wait(10)
    thread.join()
    assert budget.most_bytes == 60


def test_a_tile_larger_than_everything_runs_alone_rather_than_never():
    budget, stop = ByteBudget(100), threading.Event()
    assert budget.reserve(500, stop)
    stop.set()
    assert not budget.reserve(1, stop)


def test_a_waiting_tile_gives_up_when_it_is_stopped():
    budget, stop = ByteBudget(100), threading.Event()
    budget.reserve(100, stop)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(budget.reserve(50, stop)))
    thread.start()
    stop.set()
    thread.join(10)
    assert answers == [False]
