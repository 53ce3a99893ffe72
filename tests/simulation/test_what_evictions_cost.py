"""What evictions and cancellations cost, in virtual time and with few tiles; benchmarks/virtual_fleet.py measures
with many."""

from __future__ import annotations

import pytest

from laptop_cloud.virtual.cancellation import cancel_a_job
from laptop_cloud.virtual.fleet import run
from laptop_cloud.virtual.laws import broken_laws
from laptop_cloud.virtual.scenario import steady_days

SEED = 3


def account_of(rate, notice_seconds, *, has_checkpoints=True):
    scenario = steady_days(
        40, evictions_per_vm_hour=rate, notice_seconds=notice_seconds, has_checkpoints=has_checkpoints
    )
    world = run(scenario, SEED)
    assert broken_laws(world) == [], f"seed {SEED}"
    return world.account


@pytest.mark.parametrize(("rate", "notice_seconds", "least"), [(0.07, 0, 0.99), (1, 0, 0.95), (1, 30, 0.97)])
def test_evictions_cost_little_of_what_was_inferred(rate, notice_seconds, least):
    assert account_of(rate, notice_seconds).kept_share >= least


def test_checkpoints_are_what_makes_it_so():
    assert account_of(1, 0, has_checkpoints=False).kept_share < 0.75


@pytest.mark.parametrize("infer_seconds", [262, 3600])
def test_a_cancelled_job_is_gone_in_minutes_however_long_its_tiles_take(infer_seconds):
    assert cancel_a_job(3000, vms=20, infer_seconds=infer_seconds, seed=SEED).seconds_until_gone < 120
