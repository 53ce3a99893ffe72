"""The controller killed between any two calls: its successor knows what was written before them, and goes on."""

from __future__ import annotations

from collections import Counter

import pytest

from fleetctl.controller.actions import Verb
from fleetctl.controller.snapshot import Power
from tests.unit.fleetctl.controller.toy_cloud import ToyCloud, policy

MACHINES = 10


def a_day(cloud: ToyCloud, kills: list[int]) -> int:
    """Growth, a mass eviction, a sick machine, the end; the controller dies before each of these calls.
    Returns how often it did."""
    killed = 0

    def ticks(count: int) -> None:
        nonlocal killed
        for _ in range(count):
            if kills and cloud.dies_after is None:
                cloud.dies_after = kills.pop(0)
            before = cloud.dies_after
            cloud.tick()
            killed += before is not None and cloud.dies_after is None

    cloud.waiting = MACHINES
    ticks(120)
    assert cloud.up() == MACHINES
    cloud.evict(list(cloud.vms))
    ticks(120)
    assert cloud.up() == MACHINES
    for vm in cloud.vms.values():
        vm.held = 0
    ticks(120)
    return killed


@pytest.mark.parametrize("offset", range(10))
def test_whatever_call_it_is_killed_before_the_fleet_converges_and_nothing_stays_behind(offset: int):
    cloud = ToyCloud(policy(most=MACHINES))
    killed = a_day(cloud, [(offset + number) % 7 for number in range(14)])
    print(f"offset {offset}: killed {killed} times")
    assert killed >= 10
    assert cloud.vms == {}
    assert cloud.memory.vms == {}


def test_a_controller_that_is_not_killed_calls_nothing_twice():
    cloud = ToyCloud(policy(most=MACHINES))
    a_day(cloud, [])
    created = Counter(action.target for action in cloud.of(Verb.CREATE))
    assert set(created.values()) == {1}
    deleted = Counter(action.target for action in cloud.of(Verb.DELETE))
    assert set(deleted.values()) == {1}


def test_a_lost_record_is_made_anew_from_what_is_there():
    cloud = ToyCloud(policy(most=MACHINES), waiting=MACHINES)
    cloud.ticks(20)
    cloud.memory = type(cloud.memory)()
    cloud.calls.clear()
    cloud.ticks(20)
    assert cloud.of(Verb.CREATE) == []
    assert {vm.power for vm in cloud.vms.values()} == {Power.RUNNING}
