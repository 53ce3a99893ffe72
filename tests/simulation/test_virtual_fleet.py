"""Bad days in virtual time: the worker's own code over simulated storage, and the laws that must hold after them.

A failure names its seed; `laptop-cloud virtual-fleet --tiles N --seed S` tells that run's story.
"""

from __future__ import annotations

import pytest

from laptop_cloud.virtual.fleet import run
from laptop_cloud.virtual.laws import broken_laws
from laptop_cloud.virtual.scenario import bad_days

TILES = 150


def sentences(world):
    return [broken.sentence for broken in broken_laws(world)]


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_laws_hold_after_bad_days(seed):
    world = run(bad_days(TILES, evictions_per_vm_hour=2.0), seed)
    assert sentences(world) == [], f"seed {seed}"
    assert world.happened  # a run in which nothing went wrong would prove nothing


def test_the_same_seed_is_the_same_day():
    first, again = (run(bad_days(TILES), 11) for _ in range(2))
    assert first.happened == again.happened
    assert first.kernel.now == again.kernel.now
    assert first.account == again.account
    assert first.commits == again.commits
