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
    return why_not_up(policy, {"westeurope": seen}, prices)


def test_a_sound_file_may_start():
    assert problems() == []


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(vms=9, usd=0.5), "budget.usd is 0.50, one hour of spot Standard_NV36ads_A10_v5"),
        (Limits(vms=9, usd_per_day=0.5), "budget.usd_per_day is 0.50"),
        (Limits(vms=9, vcpus_by_region={"westeurope": 20}), "36 vCPUs, limits.vcpus.westeurope is 20"),
    ],
)
def test_limits_under_one_machine_are_told_with_both_numbers(limits, told):
    (problem,) = problems(replace(POLICY, limits=limits))
    assert told in problem


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
    assert told in problem


def test_a_closed_zone_leaves_the_region_open():
    assert problems(POLICY, sku(OFFER.size, restricted="x", kind="Zone")) == []


def test_a_regular_pool_needs_no_spot():
    pool = replace(POOL, offer=replace(OFFER, priority=Priority.REGULAR))
    assert problems(replace(POLICY, pools=(pool,)), sku(OFFER.size, spot="False")) == []


def test_every_problem_of_every_pool_is_told_at_once():
    policy = replace(POLICY, pools=(POOL, replace(POOL, name="b")))
    assert len(problems(policy, sku("Standard_Other"), usd=None)) == 4
