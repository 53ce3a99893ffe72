"""Where the cloud has room and where it has not: bursts, sold-out offers, quotas that others use too."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from fleetctl.controller.actions import Verb
from fleetctl.controller.policy import Limits, Offer, Policy, Pool, Priority
from tests.unit.fleetctl.controller.toy_cloud import OFFER, ToyCloud, policy

T4 = Offer("westeurope", "Standard_NC8as_T4_v3", Priority.SPOT)


def two_pools(*, most: int = 20) -> Policy:
    pools = (
        Pool("a10", OFFER, 36, 1, 0, most, tiles_per_slot_hour=13.5),
        Pool("t4", T4, 8, 1, 0, most, tiles_per_slot_hour=2.3),
    )
    return Policy("uk", pools, Limits(vms=2 * most))


def in_pool(cloud: ToyCloud, pool: str) -> int:
    return sum(name.startswith(f"uk-{pool}-") for name in cloud.vms)


def test_bursts_of_a_hundred_are_met_at_once_and_cost_nothing_in_the_hours_between():
    cloud = ToyCloud(policy(), boot_seconds=60)
    billed_between = 0
    for _ in range(3):
        cloud.waiting += 100
        cloud.tick()
        assert len(cloud.vms) == 100
        cloud.ticks(20)
        for vm in cloud.vms.values():
            vm.held = 0
        cloud.ticks(24)
        for _ in range(20):
            cloud.tick(360.0)
            billed_between += len(cloud.vms)
    assert billed_between == 0
    by_kind = cloud.memory.spend.by_kind
    assert by_kind["idle"] + by_kind["boot"] > 0
    assert sum(by_kind.values()) == pytest.approx(cloud.memory.spend.paid)


def test_a_noisy_load_starts_no_machine_over_and_over():
    rng = random.Random(5)
    cloud = ToyCloud(policy(most=60), waiting=40)
    cloud.ticks(20)
    created = len(cloud.of(Verb.CREATE))
    for _ in range(240):  # an hour in which the queue hovers around what the fleet can do
        for vm in cloud.vms.values():
            if vm.held and rng.random() < 15 / 262:
                vm.held = 0
        cloud.waiting += rng.choice((0, 1, 2, 3, 4, 4))
        cloud.tick()
    assert len(cloud.of(Verb.CREATE)) - created <= 40
    lives = {action.target: at for at, action, _ in cloud.calls if action.verb is Verb.CREATE}
    ends = [(at, action.target) for at, action, _ in cloud.calls if action.verb is Verb.DELETE]
    assert all(at - lives[name] > cloud.policy.patience.idle_grace for at, name in ends[-5:])


def test_a_sold_out_offer_hands_over_to_the_next_pool_in_the_same_tick_after():
    cloud = ToyCloud(two_pools(), waiting=10)
    cloud.closed = {OFFER}
    cloud.ticks(3)
    assert in_pool(cloud, "a10") == 0
    assert in_pool(cloud, "t4") == 10
    assert cloud.refusals() <= 10


def test_a_quota_that_others_use_too_stops_growth_and_is_told_with_its_numbers():
    cloud = ToyCloud(policy(), waiting=50, quota=350, enforces_quota=True)
    cloud.used_by_others = 100
    cloud.ticks(3)
    assert len(cloud.vms) == 6
    assert cloud.used_vcpus() <= 350
    assert cloud.refusals() == 0


def test_a_quota_error_closes_the_pool_and_says_the_numbers():
    cloud = ToyCloud(policy(), waiting=50, quota=100, enforces_quota=True)
    cloud.sees_quota = 10_000
    cloud.ticks(4)
    told = [action for action in cloud.of(Verb.ALERT) if action.target.startswith("offer:")]
    assert told
    assert "Current Limit: 100" in told[0].reason
    refused = cloud.refusals()
    cloud.ticks(100)
    assert cloud.refusals() == refused


def test_machines_that_are_refused_often_make_room_for_another_pool_that_shares_their_quota():
    cloud = ToyCloud(two_pools(most=9), waiting=40, quota=9 * 36, enforces_quota=True)
    cloud.ticks(10)
    assert in_pool(cloud, "a10") == 9
    cloud.evict(list(cloud.vms))
    cloud.closed = {OFFER}
    cloud.ticks(100)
    assert in_pool(cloud, "t4") == 9
    assert cloud.used_vcpus() <= 9 * 36


def test_partial_capacity_is_filled_and_asked_again_rarely():
    cloud = ToyCloud(policy(), waiting=300)
    cloud.ticks(20)
    cloud.evict(list(cloud.vms))
    cloud.calls.clear()
    cloud.most_up = 37
    cloud.ticks(20)
    assert cloud.up() == 37
    after_filling = cloud.refusals()
    cloud.ticks(120)  # half an hour
    assert cloud.up() == 37
    assert cloud.refusals() - after_filling <= 18


def test_a_lowered_limit_drains_the_surplus_and_a_pool_that_is_gone_drains_whole():
    cloud = ToyCloud(policy(), waiting=20)
    cloud.ticks(20)
    cloud.policy = replace(cloud.policy, limits=replace(cloud.policy.limits, vms=5))
    cloud.ticks(20)
    assert len(cloud.vms) == 5
