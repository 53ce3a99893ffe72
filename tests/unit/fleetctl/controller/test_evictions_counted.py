"""How often a spot machine is taken: counted also where nobody announced it, and not where a person stopped it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetctl.controller.actions import Verb
from fleetctl.controller.memory import OfferMemory
from fleetctl.controller.policy import Limits, Policy, Pool, Priority
from fleetctl.controller.snapshot import Power
from fleetctl.controller.wish import Wish, WishSeen
from tests.unit.fleetctl.controller.toy_cloud import OFFER, ToyCloud, policy

NAME = "uk-a10-0001"


def idle(of: Policy) -> ToyCloud:
    """A fleet of one machine that is kept, without work."""
    cloud = ToyCloud(of)
    cloud.ticks(20)
    assert cloud.up() == 1
    return cloud


def counted(cloud: ToyCloud) -> int:
    return sum(cloud.memory.spend.evictions.values())


def test_an_idle_machine_that_nobody_stopped_was_evicted_and_a_second_time_a_person_did_it():
    cloud = idle(policy(most=1, least=1))
    cloud.evict([NAME])
    cloud.ticks(20)
    assert (cloud.up(), counted(cloud)) == (1, 1)
    assert cloud.memory.spend.evictions == {str(OFFER): 1}
    cloud.evict([NAME])
    cloud.ticks(20)
    assert (cloud.up(), counted(cloud)) == (0, 1)


@pytest.mark.parametrize("verb", [Wish.STOP, Wish.DRAIN])
def test_what_a_person_ordered_is_no_eviction(verb: Wish):
    cloud = idle(policy(most=1, least=1))
    look, wishes = cloud.snapshot, (WishSeen("wishes/1", NAME, verb, "by hand", cloud.now),)
    cloud.snapshot = lambda: replace(look(), wishes=wishes)
    cloud.ticks(10)
    assert cloud.of(Verb.DEALLOCATE) or cloud.of(Verb.DELETE)
    assert counted(cloud) == 0


def test_a_regular_machine_is_never_evicted():
    regular = replace(OFFER, priority=Priority.REGULAR)
    pools = (Pool("a10", regular, vcpus=36, slots=1, min_vms=1, max_vms=1),)
    cloud = ToyCloud(Policy("uk", pools, Limits(vms=1)))
    look = cloud.snapshot
    cloud.snapshot = lambda: (seen := look()) and replace(seen, regular_quota=seen.spot_quota)
    cloud.ticks(20)
    cloud.evict([NAME])
    cloud.ticks(20)
    assert (cloud.up(), counted(cloud)) == (1, 0)


@pytest.mark.parametrize("held", [0, 1])
def test_a_machine_that_ran_and_was_evicted_while_the_controller_was_away_was_not_refused(held: int):
    cloud = ToyCloud(policy(most=1, least=1), waiting=held)
    cloud.tick()
    cloud.now += 300.0
    for _ in range(2):
        cloud.now += 60.0
        cloud.vms[NAME].power = Power.RUNNING
        cloud._work()
    assert cloud.vms[NAME].started
    cloud.vms[NAME].then = None
    cloud.evict([NAME])
    cloud.tick()
    assert counted(cloud) == 1
    assert cloud.memory.offers.get(OFFER, OfferMemory()).refusals == 0
    cloud.ticks(10)
    assert cloud.up() == 1
