"""A fleet file that would fail later is refused at once, with every reason and its numbers."""

from dataclasses import replace

import pytest

from fleetctl.cloud.skus import sizes_seen
from fleetctl.controller.policy import Limits, Offer, Policy, Pool, Priority
from fleetctl.launch.check import why_not_up

OFFER = Offer("westeurope", "Standard_NV36ads_A10_v5", Priority.SPOT)
POOL = Pool("a10", OFFER, vcpus=36, slots=1, min_vms=0, max_vms=9)
POLICY = Policy("uk", (POOL,), Limits(vms=9, usd=100.0))


def sku(name, *, spot="True", restricted="", kind="Location"):
    restrictions = [{"type": kind, "values": ["westeurope"], "reasonCode": restricted}] if restricted else []
    capabilities = [{"name": "vCPUs", "value": "36"}, {"name": "LowPriorityCapable", "value": spot}]
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "capabilities": capabilities,
        "restrictions": restrictions,
    }


def problems(policy=POLICY, *skus, usd=0.59):
    prices = {} if usd is None else {pool.offer: usd for pool in policy.pools}
    seen = sizes_seen([*(skus or (sku(OFFER.size),)), {"resourceType": "disks", "name": "x"}], "westeurope")
    return why_not_up(policy, {"westeurope": seen}, prices, "at {}".format, now=1000.0)


def test_a_sound_file_may_start():
    assert problems() == []


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (
            Limits(vms=9, usd=0.005),
            "at budget.usd: budget.usd is 0.005, one hour of spot Standard_NV36ads_A10_v5",
        ),
        (Limits(vms=9, usd_per_day=0.5), "at budget.usd_per_day: budget.usd_per_day is 0.5"),
        (
            Limits(vms=9, vcpus_by_region={"westeurope": 20}),
            "at limits.vcpus.westeurope: limits.vcpus.westeurope is 20, one machine of pool a10 has 36 vCPUs",
        ),
        (
            Limits(vms=9, vcpus_by_region={"mars": 99}),
            "at limits.vcpus.mars: limits.vcpus.mars limits nothing",
        ),
    ],
)
def test_limits_that_cannot_be_meant_are_told_with_their_place_and_numbers(limits, told):
    (problem,) = problems(replace(POLICY, limits=limits))
    assert told in problem


def test_more_machines_at_least_than_at_most_are_told():
    (problem,) = problems(replace(POLICY, pools=(replace(POOL, min_vms=10),)))
    assert problem == "at limits.vms: limits.vms is 9, the pools' min are 10 together"


def test_a_fleet_whose_time_is_over_is_not_started():
    (problem,) = problems(replace(POLICY, stop_after=1000.0))
    assert problem == "at budget.stop_after: budget.stop_after is over: 1970-01-01T00:16:40+00:00"
    assert problems(replace(POLICY, stop_after=1001.0)) == []


@pytest.mark.parametrize(
    ("offered", "told"),
    [
        (sku("Standard_Other"), "westeurope has no size Standard_NV36ads_A10_v5"),
        (sku(OFFER.size, spot="False"), "not to be had as spot"),
        (sku(OFFER.size, restricted="NotAvailableForSubscription"), "NotAvailableForSubscription"),
    ],
)
def test_a_size_that_the_region_does_not_offer_is_told(offered, told):
    (problem,) = problems(POLICY, offered)
    assert problem.startswith("at pools.0.size: pool a10: ")
    assert told in problem


def test_a_region_that_offers_nothing_is_none():
    (problem,) = why_not_up(POLICY, {"westeurope": {}}, {OFFER: 0.59}, str, now=0.0)
    assert "no size is offered in westeurope: is there such a region?" in problem


def test_a_closed_zone_leaves_the_region_open():
    assert problems(POLICY, sku(OFFER.size, restricted="x", kind="Zone")) == []


def test_a_regular_pool_needs_no_spot():
    pool = replace(POOL, offer=replace(OFFER, priority=Priority.REGULAR))
    assert problems(replace(POLICY, pools=(pool,)), sku(OFFER.size, spot="False")) == []


def test_every_problem_of_every_pool_is_told_at_once():
    policy = replace(POLICY, pools=(POOL, replace(POOL, name="b")))
    assert len(problems(policy, sku("Standard_Other"), usd=None)) == 4
