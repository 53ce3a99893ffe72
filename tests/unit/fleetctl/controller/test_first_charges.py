"""What a fleet pays in its first minutes: while machines are created, and before anybody knows their price."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetctl.controller.snapshot import Power
from tests.unit.fleetctl.controller.toy_cloud import ToyCloud, policy

USD_PER_HOUR = 0.6
TICK = 15.0


def ten_machines(power: Power) -> ToyCloud:
    """Seen in that state by the tick that comes next."""
    cloud = ToyCloud(policy(most=10), waiting=10)
    cloud.tick()
    for vm in cloud.vms.values():
        vm.power, vm.then = power, None
    return cloud


@pytest.mark.parametrize("power", [Power.CREATING, Power.STARTING])
def test_a_machine_is_not_billed_while_it_is_created(power: Power):
    cloud = ten_machines(power)
    cloud.tick()
    spend = cloud.memory.spend
    billed_hours = 0.0 if power is Power.CREATING else 10 * TICK / 3600
    assert sum(spend.vm_hours.values()) == pytest.approx(billed_hours)
    assert spend.paid - spend.by_kind["disks"] == pytest.approx(billed_hours * USD_PER_HOUR)


def test_what_is_created_is_counted_before_more_is_started():
    cloud = ten_machines(Power.CREATING)
    cloud.policy = replace(policy(most=100), limits=replace(policy().limits, usd=2.0))
    cloud.waiting = 100
    cloud.ticks(3)
    assert len(cloud.vms) <= 2.0 / (0.25 * USD_PER_HOUR)


@pytest.mark.parametrize(("ticks_without", "usd_per_hour"), [(4, USD_PER_HOUR), (40, 36 * 0.12)])
def test_the_first_minutes_are_charged_at_the_price_that_is_learnt_and_later_ones_at_a_guess(
    ticks_without: int, usd_per_hour: float
):
    cloud = ten_machines(Power.STARTING)
    look = cloud.snapshot
    cloud.snapshot = lambda: replace(look(), usd_per_hour={})
    cloud.ticks(ticks_without)
    cloud.snapshot = look
    cloud.tick()
    spend = cloud.memory.spend
    hours = 10 * (ticks_without + 1) * TICK / 3600
    assert sum(spend.vm_hours.values()) == pytest.approx(hours)
    assert spend.paid - spend.by_kind["disks"] == pytest.approx(hours * usd_per_hour, rel=0.03)
