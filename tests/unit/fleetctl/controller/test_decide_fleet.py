"""`decide` against a toy cloud, tick by tick: what an operator would watch for a night."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract.heartbeat import WorkerState
from fleetctl.controller.actions import Verb
from fleetctl.controller.demand import waiting_tiles
from fleetctl.controller.snapshot import BILLED, Power, QueuesSeen, Snapshot, VmSeen, WorkerSeen
from tests.unit.fleetctl.controller.toy_cloud import OFFER, ToyCloud, policy


def refusals(cloud: ToyCloud) -> int:
    return sum(
        bool(refused) for _, action, refused in cloud.calls if action.verb in (Verb.START, Verb.CREATE)
    )


def test_the_whole_demand_is_met_in_one_tick():
    cloud = ToyCloud(policy(), waiting=80)
    cloud.tick()
    assert len(cloud.vms) == 80


def test_a_hundred_evicted_machines_run_again_two_minutes_after_capacity_returns():
    cloud = ToyCloud(policy(), waiting=300)
    cloud.ticks(20)
    assert cloud.up() == 100
    cloud.calls.clear()
    cloud.has_capacity = False
    cloud.evict(list(cloud.vms))
    cloud.ticks(40)
    assert cloud.up() == 0
    cloud.has_capacity = True
    cloud.ticks(8)
    assert cloud.up() == 100
    assert refusals(cloud) <= 5


def test_what_a_machine_without_hardware_said_it_holds_is_held_by_nobody():
    said = WorkerSeen(
        "uk-a10-0001-s0", "uk-a10-0001", "b", WorkerState.WORKING, 2, age_seconds=5.0, started=0.0
    )
    for power, waiting in ((Power.RUNNING, 1), (Power.DEALLOCATED, 3)):
        vm = VmSeen("uk-a10-0001", "a10", OFFER, power)
        seen = Snapshot(1e6, {vm.name: vm}, (said,), QueuesSeen(3, 0, 0, 0), ())
        assert waiting_tiles(seen, live_seconds=180.0) == waiting


@pytest.mark.parametrize("drain_seconds", [0.0, 10.0, 30.0])
def test_nothing_is_billed_a_tick_after_the_idle_grace_of_the_last_tile(drain_seconds):
    cloud = ToyCloud(policy(), waiting=10, drain_seconds=drain_seconds)
    cloud.ticks(20)
    assert cloud.up() == 10
    for vm in cloud.vms.values():
        vm.held = 0
    began = cloud.now
    while any(vm.power in BILLED for vm in cloud.vms.values()):
        cloud.tick()
    patience = cloud.policy.patience
    assert cloud.now - began <= patience.idle_grace + patience.tick


@pytest.mark.parametrize(("idle_grace", "kept_seconds"), [(300.0, 255.0), (60.0, 30.0), (40.0, 30.0)])
def test_an_idle_machine_is_kept_for_most_of_its_grace_and_for_half_of_a_short_one(idle_grace, kept_seconds):
    cloud = ToyCloud(policy(patience=replace(policy().patience, idle_grace=idle_grace)), waiting=1)
    cloud.ticks(20)
    (vm,) = cloud.vms.values()
    vm.held = 0
    cloud.tick()
    idle_since = cloud.now
    while not cloud.of(Verb.DRAIN):
        cloud.tick()
    assert cloud.now - idle_since == kept_seconds


def test_no_busy_machine_is_let_go_in_a_thousand_noisy_ticks():
    cloud = ToyCloud(policy(), waiting=40)
    for number in range(1000):
        if number % 7 == 0:
            cloud.waiting += (number * 37) % 23
        if number % 5 == 0:
            for vm in list(cloud.vms.values())[:: 1 + number % 4]:
                vm.held = 0
        before = {name for name, vm in cloud.vms.items() if vm.held}
        actions = cloud.tick()
        killed = {a.target for a in actions if a.verb in (Verb.DELETE, Verb.DEALLOCATE)}
        assert not killed & before


def test_a_budget_ends_the_fleet_below_it():
    limits = replace(policy().limits, usd=20.0)
    cloud = ToyCloud(policy(limits=limits), waiting=10_000)
    cloud.ticks(400)
    assert cloud.up() == 0
    assert 14.0 < cloud.memory.spend.paid <= 20.2
