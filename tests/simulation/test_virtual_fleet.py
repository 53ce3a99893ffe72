"""Bad days in virtual time: the worker's own code over simulated storage, and the laws that must hold after them.

A failure names its seed; `laptop-cloud virtual-fleet --tiles N --seed S` tells that run's story.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from laptop_cloud.virtual.fleet import run
from laptop_cloud.virtual.laws import broken_laws
from laptop_cloud.virtual.scenario import Durations, bad_days

TILES = 150


def sentences(world):
    return [broken.sentence for broken in broken_laws(world)]


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_laws_hold_after_bad_days(seed):
    world = run(bad_days(TILES, evictions_per_vm_hour=2.0), seed)
    assert sentences(world) == [], f"seed {seed}"
    assert world.happened  # a run in which nothing went wrong would prove nothing


@pytest.mark.parametrize("seed", [1, 2])
def test_the_laws_hold_for_long_tiles_that_go_on_from_checkpoints(seed):
    scenario = replace(
        bad_days(60, evictions_per_vm_hour=2.0),
        vms=10,
        durations=Durations(infer=1800.0),
        blocks=30,
        duplicate_share=0.2,
        redone_share=0.1,
    )
    assert sentences(run(scenario, seed)) == [], f"seed {seed}"


def test_the_same_seed_is_the_same_day():
    first, again = (run(bad_days(TILES), 11) for _ in range(2))
    assert first.happened == again.happened
    assert first.kernel.now == again.kernel.now
    assert first.account == again.account
    assert first.commits == again.commits
