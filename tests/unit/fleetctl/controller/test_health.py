"""Machines that do not do their work, and the days on which that is not their fault."""

from __future__ import annotations

from dataclasses import replace

from contract.heartbeat import WorkerState
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.memory import Intent
from fleetctl.controller.snapshot import Attempts, Power
from tests.unit.fleetctl.controller.toy_cloud import ToyCloud, policy

ENDS = frozenset({Verb.DEALLOCATE, Verb.DELETE})


def working(machines: int = 10) -> ToyCloud:
    cloud = ToyCloud(policy(), waiting=10 * machines)
    cloud.policy = replace(cloud.policy, limits=replace(cloud.policy.limits, vms=machines))
    cloud.ticks(20)
    assert cloud.up() == machines
    cloud.calls.clear()
    return cloud


def ends(cloud: ToyCloud) -> list[Action]:
    return [action for _, action, _ in cloud.calls if action.verb in ENDS]


def alerts(cloud: ToyCloud) -> set[str]:
    return {action.target for action in cloud.of(Verb.ALERT)}


def test_an_unfit_machine_is_moved_once_and_works_again():
    cloud = working()
    vm = cloud.vms["uk-a10-0003"]
    vm.state, vm.held, vm.sick_boots = WorkerState.UNFIT, 0, vm.boot
    cloud.ticks(20)
    assert [action.verb for action in ends(cloud)] == [Verb.DEALLOCATE]
    assert cloud.vms["uk-a10-0003"].held == 1
    assert cloud.memory.vms["uk-a10-0003"].intent is Intent.RUN


def test_a_machine_that_stays_unfit_is_quarantined_and_the_rest_goes_on():
    cloud = working()
    vm = cloud.vms["uk-a10-0003"]
    vm.state, vm.held, vm.sick_boots = WorkerState.UNFIT, 0, 99
    cloud.ticks(60)
    assert cloud.memory.vms["uk-a10-0003"].intent is Intent.QUARANTINE
    assert cloud.vms["uk-a10-0003"].power is Power.DEALLOCATED
    assert alerts(cloud) == {"quarantine:uk-a10-0003"}
    assert len(ends(cloud)) == cloud.policy.limits.rehosts + 1
    assert cloud.up() == 9


def stop_by_hand(cloud: ToyCloud, name: str) -> None:
    """While it is idle, so that no lost heartbeat under load explains it; then there is work for it again."""
    cloud.waiting, cloud.vms[name].held = 0, 0
    cloud.ticks(8)
    cloud.vms[name].power, cloud.vms[name].silent_since = Power.DEALLOCATED, cloud.now
    cloud.waiting = 1
    cloud.tick()


def test_a_machine_that_an_unknown_hand_stops_is_restarted_once_then_held():
    cloud = working()
    name = "uk-a10-0004"
    stop_by_hand(cloud, name)
    assert [action.target for action in cloud.of(Verb.START)] == [name]
    stop_by_hand(cloud, name)
    assert cloud.memory.vms[name].intent is Intent.PARK
    assert alerts(cloud) == {f"unexplained-stop:{name}"}
    cloud.ticks(40)
    assert [action.target for action in cloud.of(Verb.START)] == [name]
    assert cloud.vms[name].power is Power.DEALLOCATED


def test_stopped_is_billed_so_it_is_deallocated_and_started_again():
    cloud = working()
    vm = cloud.vms["uk-a10-0002"]
    vm.power, vm.held, vm.silent_since = Power.STOPPED, 0, cloud.now
    cloud.ticks(30)
    assert [action.target for action in ends(cloud)] == ["uk-a10-0002"]
    assert cloud.up() == 10


def test_a_machine_that_stops_itself_again_and_again_is_quarantined():
    cloud = working()
    for _ in range(300):
        vm = cloud.vms["uk-a10-0002"]
        if vm.power is Power.RUNNING and vm.started:
            vm.power, vm.held, vm.silent_since = Power.STOPPED, 0, cloud.now
        cloud.tick()
    assert cloud.memory.vms["uk-a10-0002"].intent is Intent.QUARANTINE


def test_a_system_that_never_came_up_is_made_anew_and_no_more_of_them_while_none_reports():
    cloud = ToyCloud(policy(), waiting=3)
    cloud.ticks(4)
    for vm in cloud.vms.values():
        vm.boot_fails, vm.error_code = True, "OSProvisioningTimedOut"
    cloud.ticks(20)
    assert len(cloud.of(Verb.DELETE)) == 3
    assert any(key.startswith("offer:") for key in alerts(cloud))
    assert len(cloud.of(Verb.CREATE)) == 3


def test_machines_that_run_and_never_report_are_not_kept_running():
    cloud = ToyCloud(policy(), waiting=50)
    cloud.ticks(1)
    for vm in cloud.vms.values():
        vm.boot_fails = True
    for _ in range(4 * 60 * 4):
        cloud.tick()
        for vm in cloud.vms.values():
            vm.boot_fails = True
    assert cloud.up() <= 1
    assert cloud.memory.spend.paid < 50 * 0.6 * 0.75


def test_a_silent_fleet_is_no_fleet_of_bad_machines():
    cloud = working()
    for vm in cloud.vms.values():
        vm.silent_since = cloud.now
    cloud.ticks(60)
    assert ends(cloud) == []
    assert "silent-fleet" in alerts(cloud)
    for number, vm in enumerate(cloud.vms.values()):  # they come back one by one
        vm.silent_since = None
        if number % 2:
            cloud.tick()
    cloud.ticks(20)
    assert ends(cloud) == []


def test_one_silent_machine_among_others_is_moved():
    cloud = working()
    cloud.vms["uk-a10-0007"].silent_since = cloud.now
    cloud.ticks(16)
    assert [(action.verb, action.target) for action in ends(cloud)] == [(Verb.DEALLOCATE, "uk-a10-0007")]


def test_a_storage_that_is_away_harms_nobody_also_when_it_comes_back():
    cloud = working()
    cloud.is_blind = True
    cloud.evict(["uk-a10-0001"])
    cloud.ticks(80)
    cloud.is_blind = False
    for vm in cloud.vms.values():
        vm.silent_since = cloud.now - 1200
    cloud.ticks(2)
    for vm in cloud.vms.values():
        vm.silent_since = None
    cloud.ticks(20)
    assert ends(cloud) == []
    assert cloud.up() == 10
    assert not [record for record in cloud.memory.vms.values() if record.intent is not Intent.RUN]


def test_a_source_that_fails_for_six_hours_shrinks_the_fleet_to_its_probes_and_back():
    cloud = working()
    cloud.attempts = Attempts(20, 20)
    cloud.tick()
    assert len(cloud.of(Verb.PAUSE_INTAKE)) == 1
    waiting = cloud.waiting
    for number in range(6 * 240):
        cloud.attempts = Attempts(12, 12)
        if number == 40:
            cloud.attempts = Attempts(20, 18)  # what was downloaded before still ends well
        cloud.tick()
        if number in (500, 900):  # even the probe is evicted
            cloud.evict([name for name, vm in cloud.vms.items() if vm.power is Power.RUNNING])
    assert len(cloud.of(Verb.PAUSE_INTAKE)) >= 1
    assert cloud.up() == 1
    cloud.attempts = Attempts(12, 11)
    cloud.tick()
    assert cloud.memory.outage_since is None
    cloud.ticks(20)
    assert len(cloud.of(Verb.RESUME_INTAKE)) == len(cloud.of(Verb.PAUSE_INTAKE))
    assert cloud.up() == 10
    assert waiting > 0


def test_what_the_window_holds_from_before_neither_ends_nor_begins_an_outage():
    cloud = working()
    cloud.attempts = Attempts(20, 12)
    cloud.ticks(10)
    assert len(cloud.of(Verb.PAUSE_INTAKE)) == 1
    assert cloud.of(Verb.RESUME_INTAKE) == []
    cloud.ticks(40)
    assert len(cloud.of(Verb.RESUME_INTAKE)) == 1
    assert len(cloud.of(Verb.PAUSE_INTAKE)) == 1
