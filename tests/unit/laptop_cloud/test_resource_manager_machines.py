"""Machines of the laptop's Resource Manager: states on the way, room, quota, evictions, what is left and paid."""

from __future__ import annotations

import pytest

from laptop_cloud.resource_manager.attachments import DISK, INTERFACE
from laptop_cloud.resource_manager.capacity import Shortage
from laptop_cloud.resource_manager.order import read_order
from laptop_cloud.resource_manager.problems import Problem
from laptop_cloud.resource_manager.quota import Quotas
from laptop_cloud.resource_manager.saved import load, save
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, Rig, body, regular


@pytest.fixture
def rig():
    return Rig()


def refused(call, code, status=409):
    with pytest.raises(Problem) as problem:
        call()
    assert (problem.value.status, problem.value.code) == (status, code)
    return str(problem.value)


def test_a_new_machine_is_created_starts_and_runs(rig):
    machine, operation, is_new = rig.put("a-0001")
    assert is_new
    seen = []
    for _ in range(8):
        seen.append((machine.provisioning, str(machine.power)))
        rig.wait(6)
    assert list(dict.fromkeys(seen)) == [
        ("Creating", ""),
        ("Creating", "starting"),
        ("Succeeded", "running"),
    ]
    assert operation.status == "Succeeded"


def test_creating_twice_is_one_machine_whose_tags_are_the_latest(rig):
    rig.running("a-0001")
    machine, _, is_new = rig.put("A-0001", body("a-0001", tags={"tilefleet-fleet": "fr"}))
    assert (is_new, machine.tags, len(rig.world.machines)) == (False, {"tilefleet-fleet": "fr"}, 1)
    dearer = body("a-0001", size="Standard_D16s_v6")
    refused(lambda: rig.put("a-0001", dearer), "PropertyChangeNotAllowed")


def test_every_way_between_the_states_passes_through_azures_names(rig):
    rig.running("a-0001")
    seen = []
    for ask in (rig.compute.power_off, rig.compute.start, rig.compute.deallocate, rig.compute.restart):
        if ask == rig.compute.restart:
            rig.compute.start("a-0001", GROUP)
            rig.wait(30)
        ask("a-0001", GROUP)
        seen.append(rig.power("a-0001"))
        rig.wait(30)
        seen.append(rig.power("a-0001"))
    assert seen == [
        *("stopping", "stopped", "starting", "running"),
        *("deallocating", "deallocated", "starting", "running"),
    ]


def test_a_second_change_meets_a_conflict_until_the_first_is_over(rig):
    rig.put("a-0001")
    refused(lambda: rig.compute.deallocate("a-0001", GROUP), "Conflict")
    refused(lambda: rig.compute.delete("a-0001", GROUP), "Conflict")
    rig.wait(60)
    rig.compute.deallocate("a-0001", GROUP)
    refused(lambda: rig.compute.start("a-0001", GROUP), "Conflict")


def test_what_is_so_already_succeeds_at_once(rig):
    rig.running("a-0001")
    assert rig.compute.start("a-0001", GROUP).status == "Succeeded"
    rig.compute.deallocate("a-0001", GROUP)
    rig.wait(30)
    assert rig.compute.deallocate("a-0001", GROUP).status == "Succeeded"
    assert rig.compute.delete("a-0009", GROUP) is None


def test_quota_counts_deallocated_machines_and_what_others_use_and_tells_the_numbers():
    rig = Rig(quotas=Quotas(spot_vcpus=6))
    rig.running("a-0001", "a-0002")
    rig.compute.deallocate("a-0001", GROUP)
    rig.wait(30)
    rig.world.others_vcpus["westeurope"] = 1
    text = refused(lambda: rig.put("a-0003"), "OperationNotAllowed")
    assert "LowPriorityCores quota" in text
    assert (
        "Current Limit: 6, Current Usage: 5, Additional Required: 2, (Minimum) New Limit Required: 7" in text
    )
    assert rig.put("b-0001", body("b-0001", location="uksouth"))[2]
    assert rig.put("c-0001", regular("c-0001"))[2]
    used = {row.name: (row.used, row.limit) for row in rig.compute.quotas.usages("westeurope")}
    assert used["lowPriorityCores"] == (5, 6)
    assert used["cores"] == used["standardDSv5Family"] == (2, 100)


def test_a_sold_out_size_is_refused_at_once_where_and_while_it_is_sold_out(rig):
    now = rig.clock.now()
    rig.compute.capacity.refuse(Shortage("westeurope", "Standard_D2s_v5", now + 600), now)
    refused(lambda: rig.put("a-0001"), "SkuNotAvailable")
    assert rig.put("b-0001", body("b-0001", location="uksouth"))[2]
    assert rig.put("c-0001", body("c-0001", size="Standard_D4s_v5"))[2]
    assert rig.put("d-0001", regular("d-0001"))[2], "the full price has its own hardware"
    rig.wait(600)
    assert rig.put("a-0001")[2]


def test_an_order_that_was_accepted_may_fail_later_and_the_machine_says_why(rig):
    rig.running("a-0001")
    rig.compute.deallocate("a-0001", GROUP)
    rig.wait(30)
    now = rig.clock.now()
    rig.compute.capacity.refuse(Shortage("", "", now + 600, is_told_later=True), now)
    operation = rig.compute.start("a-0001", GROUP)
    assert rig.power("a-0001") == "starting"
    rig.wait(60)
    machine = rig.compute.machine("a-0001", GROUP)
    assert (operation.status, operation.failure_code) == ("Failed", "AllocationFailed")
    assert (machine.provisioning, machine.failure_code) == ("Failed", "AllocationFailed")
    assert machine.power == "deallocated"
    created, _, _ = rig.put("a-0002")
    rig.wait(60)
    assert (created.provisioning, created.power) == ("Failed", "")
    rig.compute.capacity.restore()
    rig.compute.start("a-0002", GROUP)
    rig.wait(60)
    assert (created.provisioning, created.power, created.failure_code) == ("Succeeded", "running", "")


def test_an_evicted_machine_is_deallocated_or_gone_as_its_policy_says(rig):
    rig.running("a-0001")
    rig.running("b-0001", evictionPolicy="Delete")
    for name in ("a-0001", "b-0001"):
        rig.compute.evict(name, GROUP, None)
    rig.wait(30)
    assert list(rig.world.machines) == ["a-0001"]
    machine = rig.compute.machine("a-0001", GROUP)
    assert (machine.power, machine.provisioning) == ("deallocated", "Succeeded")


def test_an_eviction_with_notice_takes_the_machine_when_the_time_is_over(rig):
    rig.running("a-0001")
    rig.compute.evict("a-0001", GROUP, 30)
    assert rig.power("a-0001") == "running"
    ((wait, take),) = rig.timers
    assert wait == 30
    take()
    assert rig.power("a-0001") == "deallocating"
    take()  # a second time changes nothing
    rig.wait(30)
    assert rig.power("a-0001") == "deallocated"


def test_a_notice_that_is_over_when_the_cloud_has_ended_takes_nobody(rig):
    rig.running("a-0001")
    rig.compute.evict("a-0001", GROUP, 30)
    rig.compute.close()
    ((_, take),) = rig.timers
    take()
    assert rig.world.machines["a-0001"].power == "running"


def test_the_older_name_of_spot_means_the_same(rig):
    rig.put("a-0001", body("a-0001", priority="Low"))
    rig.wait(60)
    assert rig.compute.at_risk() == ["a-0001"]
    assert [u.used for u in rig.compute.quotas.usages("westeurope") if u.name == "lowPriorityCores"] == [2]


def test_nobody_evicts_what_is_not_spot_or_does_not_run(rig):
    rig.put("c-0001", regular("c-0001"))
    rig.wait(60)
    assert "not an Azure Spot" in refused(
        lambda: rig.compute.evict("c-0001", GROUP, None), "OperationNotAllowed"
    )
    rig.running("a-0001")
    rig.compute.deallocate("a-0001", GROUP)
    rig.wait(30)
    assert "not running" in refused(lambda: rig.compute.evict("a-0001", GROUP, None), "OperationNotAllowed")


def test_deleting_takes_disk_and_interface_along_only_where_the_model_says_so(rig):
    rig.running("a-0001")
    rig.running("b-0001", goes=False)
    assert len(rig.world.attached) == 4
    for name in ("a-0001", "b-0001"):
        rig.compute.delete(name, GROUP)
    rig.wait(30)
    left = sorted((one.type, one.machine) for one in rig.world.attached.values())
    assert left == [(DISK, ""), (INTERFACE, "")]
    refused(lambda: rig.compute.machine("a-0001", GROUP), "ResourceNotFound", 404)


def test_only_time_with_hardware_is_billed(rig):
    rig.running("a-0001")  # 60 s, of which 12 are creation
    rig.wait(40)
    machine = rig.compute.machine("a-0001", GROUP)
    rig.compute.deallocate("a-0001", GROUP)
    rig.wait(1000)
    assert machine.billed_seconds == pytest.approx(48 + 40)
    rig.compute.delete("a-0001", GROUP)
    rig.wait(30)
    (gone,) = rig.world.gone
    assert gone.billed_seconds == machine.billed_seconds


def test_a_cloud_that_is_started_again_has_its_machines_and_goes_on_with_them(rig, tmp_path):
    rig.running("a-0001", "a-0002")
    rig.compute.delete("a-0002", GROUP)
    operation = rig.put("a-0003")[1]
    save(tmp_path / "state.json", rig.world)
    later = Rig(world=load(tmp_path / "state.json"), seconds=500.0)
    assert later.clock.now() >= rig.clock.now(), "its clock never goes back"
    assert later.power("a-0001") == "running"
    later.wait(60)
    assert sorted(later.world.machines) == ["a-0001", "a-0003"]
    assert later.power("a-0003") == "running"
    assert later.world.operations[operation.id].status == "Succeeded"
    assert later.compute.machine("a-0001", GROUP).billed_seconds < 120, "nobody pays for a cloud that is off"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"location": "atlantis"}, "LocationNotAvailableForResourceType"),
        ({"location": ""}, "LocationRequired"),
        ({"properties": []}, "InvalidRequestContent"),
        ({"properties": {"hardwareProfile": {"vmSize": "Standard_Z1"}}}, "InvalidParameter"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(change, code):
    refused(lambda: read_order("a-0001", GROUP, body("a-0001") | change), code, 400)


def test_what_a_machine_is_told_in_secret_is_never_given_back(rig):
    machine, _, _ = rig.put("a-0001", body("a-0001", userData="c2VjcmV0"))
    assert "c2VjcmV0" not in str(machine)


def test_a_size_that_is_never_spot_is_refused_as_such(rig):
    refused(
        lambda: read_order("a-0001", GROUP, body("a-0001", size="Standard_B2s")), "VMPriorityCannotBeApplied"
    )
