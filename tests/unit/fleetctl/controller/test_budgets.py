"""What ends a fleet: its money, today's money, its date; and what lets it go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetctl.controller.actions import Verb
from fleetctl.controller.memory import Spend
from fleetctl.controller.policy import Limits
from fleetctl.controller.rules.money import WARN_PERCENT
from tests.unit.fleetctl.controller.toy_cloud import ToyCloud, policy

DAY = 86_400.0
MIDNIGHT = 1_000_080.0 // DAY * DAY + DAY


def limited(machines: int = 30, **limits: float) -> ToyCloud:
    cloud = ToyCloud(policy(most=machines), waiting=100_000)
    cloud.policy = replace(cloud.policy, limits=Limits(vms=machines, **limits))
    return cloud


@pytest.mark.parametrize("usd", [3.0, 10.0, 40.0])
def test_a_fleet_ends_within_a_percent_of_its_budget(usd: float):
    cloud = limited(usd=usd)
    cloud.ticks(1200)
    assert cloud.vms == {}
    assert 0.45 * usd < cloud.memory.spend.paid <= 1.01 * usd
    warned = [action.target for action in cloud.of(Verb.ALERT) if action.target.startswith("budget:fleet")]
    assert len(warned) == len(set(warned)) <= len(WARN_PERCENT)


def test_a_budget_that_is_raised_lets_the_fleet_go_on_at_the_next_tick():
    cloud = limited(usd=10.0)
    cloud.ticks(800)
    assert cloud.vms == {}
    cloud.policy = replace(cloud.policy, limits=replace(cloud.policy.limits, usd=20.0))
    cloud.tick()
    assert len(cloud.vms) == 30


def test_a_days_money_ends_the_day_and_the_next_one_begins_anew():
    cloud = limited(usd_per_day=10.0)
    cloud.now = MIDNIGHT - 2 * 3600
    cloud.memory = replace(cloud.memory, spend=Spend(counted_until=cloud.now))
    cloud.ticks(2 * 240 - 2)
    assert cloud.vms == {}
    assert cloud.memory.spend.paid <= 10.1
    cloud.ticks(4)
    assert len(cloud.vms) == 30
    days = cloud.memory.spend.by_day
    assert sum(days.values()) == pytest.approx(cloud.memory.spend.paid)


def test_the_fleets_date_drains_it_and_nothing_starts_after_it():
    cloud = limited()
    cloud.policy = replace(cloud.policy, stop_after=cloud.now + 1800)
    cloud.ticks(160)
    assert cloud.vms == {}
    cloud.calls.clear()
    cloud.ticks(20)
    assert not [action for _, action, _ in cloud.calls if action.verb in (Verb.CREATE, Verb.START)]


def test_nothing_is_started_that_the_money_would_not_let_finish():
    cloud = limited(machines=100, usd=3.0)
    cloud.tick()
    assert 10 <= len(cloud.vms) <= 20
    cloud.ticks(20)
    assert len(cloud.vms) <= 20, "what was promised to those is not spent on others a tick later"
