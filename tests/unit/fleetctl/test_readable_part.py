"""What can be said of a fleet file with mistakes in it, so that all are told at once."""

from __future__ import annotations

import pytest

from fleetctl.launch.readable_part import readable_budget, readable_pools

POOL = {"name": "a10", "region": "westeurope", "size": "Standard_NV36ads_A10_v5"}


def test_a_pool_is_read_as_far_as_its_machines_are_named():
    (pool,) = readable_pools({"pools": [{"size": 7}, POOL, "no table"]})
    assert (pool.number, pool.name, str(pool.offer.priority)) == (1, "a10", "spot")


@pytest.mark.parametrize("priority", [["spot"], {"a": 1}, "cheap", 1])
def test_a_priority_that_is_none_is_passed_over(priority):
    assert list(readable_pools({"pools": [{**POOL, "priority": priority}]})) == []


@pytest.mark.parametrize("usd", ["none", True, -1, float("nan"), [1]])
def test_a_budget_that_is_no_amount_says_nothing(usd):
    assert readable_budget({"budget": {"usd": usd}}).usd is None
