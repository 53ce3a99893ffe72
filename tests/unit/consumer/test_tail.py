"""Which tiles an idle worker may try beside their holders: a table of cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumer.tail import LONGEST_SILENCE_SECONDS, Pace, tail_candidates
from contract.heartbeat import Heartbeat, HeldTile, SeenHeartbeat, WorkerState

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PACE = Pace({"download": 20.0, "infer": 100.0}, silent_seconds=120.0, least_seconds=90.0)
UNMEASURED = replace(PACE, stage_seconds={})


def tile(stage="infer", seconds=10.0, **changes):
    since = (NOW - timedelta(seconds=seconds)).isoformat(timespec="seconds")
    usual = HeldTile("d-2024-0", "grid_-4.55_54.15", stage, 0.0, since, job="j-1")
    return replace(usual, **changes)


def report(*tiles, worker="holder", age_seconds=5.0):
    beat = Heartbeat(
        worker,
        "vm",
        "boot",
        "2026-01-02T00:00:00+00:00",
        WorkerState.WORKING,
        tiles,
        len(tiles),
        0.0,
        0,
        None,
        0,
    )
    return SeenHeartbeat(beat, age_seconds)


def chosen(*reports, pace=PACE):
    return [(found.tile.tile, found.holder) for found in tail_candidates(reports, pace, NOW, worker="us")]


@pytest.mark.parametrize(
    ("held", "is_wanted"),
    [
        (tile(seconds=299), False),
        (tile(seconds=301), True),
        (tile("download", seconds=80), False),  # three times the usual, but not worth a second attempt yet
        (tile("download", seconds=91), True),
        (tile("ready", seconds=350), False),
        (tile("ready", seconds=361), True),  # waits behind another one that hangs
        (tile(seconds=400, progress=0.5), True),
        (tile(seconds=400, progress=0.8), False),  # 100 s left, we would take 120
        (tile(seconds=4000, is_solo=True), False),
        (tile(seconds=4000, is_second=True), False),
        (tile(seconds=4000, job=""), False),  # a worker of an older version
        (tile(since="yesterday"), False),
        (tile(since="2020-01-01T00:00:00"), False),
    ],
)
def test_a_tile_is_slow_by_what_its_stage_takes_elsewhere(held, is_wanted):
    assert bool(chosen(report(held))) is is_wanted


@pytest.mark.parametrize(
    ("age_seconds", "is_wanted"), [(119, False), (121, True), (LONGEST_SILENCE_SECONDS + 1, False)]
)
def test_a_holder_that_is_silent_for_longer_than_a_lease_but_still_renews_one(age_seconds, is_wanted):
    assert bool(chosen(report(tile(), age_seconds=age_seconds), pace=UNMEASURED)) is is_wanted


def test_without_measured_times_nobody_is_slow():
    assert chosen(report(tile(seconds=1e6)), pace=UNMEASURED) == []


def test_nobody_tries_its_own_tiles_a_second_time():
    assert chosen(report(tile(seconds=4000), worker="us")) == []


def test_a_tile_that_went_to_a_living_worker_is_judged_by_that_one():
    dead = report(tile(seconds=4000), worker="dead", age_seconds=500)
    assert chosen(dead, report(tile(seconds=10), worker="next")) == []
    assert chosen(dead, report(tile(seconds=400), worker="next")) == [("grid_-4.55_54.15", "next")]


def test_the_one_that_hangs_longest_comes_first():
    held = [tile(seconds=400, tile="grid_-4.55_54.05"), tile(seconds=900)]
    assert [name for name, _ in chosen(report(*held))] == ["grid_-4.55_54.15", "grid_-4.55_54.05"]
