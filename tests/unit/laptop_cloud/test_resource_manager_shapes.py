"""What the laptop's Resource Manager writes has the keys and the words of Azure's examples."""

from __future__ import annotations

import pytest

from laptop_cloud.resource_manager import shapes
from laptop_cloud.resource_manager.pages import page
from laptop_cloud.resource_manager.prices import all_items, reading
from laptop_cloud.resource_manager.problems import Problem
from laptop_cloud.resource_manager.records import PowerState
from laptop_cloud.resource_manager.sizes import SIZES
from tests.unit.laptop_cloud.azure_examples import example
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, Rig


@pytest.fixture
def machine():
    rig = Rig()
    rig.running("worker-0001")
    return rig.compute.machine("worker-0001", GROUP)


def response(name, status="200"):
    return example(name)["responses"][status]["body"]


def test_an_instance_view_names_its_states_as_azure_does(machine):
    wanted = response("VirtualMachine_Get_InstanceView.json")
    got = shapes.instance_view(machine)
    assert got.keys() <= wanted.keys()
    for ours, theirs in zip(got["statuses"], wanted["statuses"], strict=True):
        assert ours.keys() == theirs.keys()
        assert ours | {"time": ""} == theirs | {"time": ""}
    assert got["vmAgent"]["statuses"][0].keys() == wanted["vmAgent"]["statuses"][0].keys()


def test_a_listing_of_states_has_names_and_states_alone(machine):
    wanted = example("vm_list_statusonly.CONSTRUCTED.json")["value"]
    got = shapes.machine_status(machine, "s")
    assert got.keys() == wanted[1].keys()
    assert got["properties"].keys() == wanted[1]["properties"].keys()
    assert got["id"].split("/")[4] == GROUP.upper()
    machine.power = PowerState.DEALLOCATED
    last = shapes.machine_status(machine, "s")["properties"]["instanceView"]["statuses"][-1]
    assert last == wanted[1]["properties"]["instanceView"]["statuses"][-1]


def test_a_failed_machine_says_in_its_state_why(machine):
    machine.provisioning, machine.failure_code, machine.failure_text = "Failed", "AllocationFailed", "no room"
    first = shapes.statuses(machine)[0]
    assert (first["code"], first["level"]) == ("ProvisioningState/failed/AllocationFailed", "Error")
    assert first["message"] == "no room"


def test_a_poll_of_an_operation_is_answered_as_in_the_example():
    wanted = example("async_operation_start_vm.json")["poll_body"]
    got = shapes.operation_status(Rig().put("a-0001")[1])
    assert got.keys() == wanted.keys()
    assert got["status"] == wanted["status"]


def test_usages_have_the_shape_of_the_example():
    (wanted,) = response("Usage_List_MaximumSet_Gen.json")["value"]
    for row in Rig().compute.quotas.usages("westeurope"):
        got = shapes.usage(row)
        assert got.keys() == wanted.keys()
        assert got["name"].keys() == wanted["name"].keys()


def test_a_price_has_the_keys_of_the_example():
    (wanted,) = example("retailprices_spot_item.json")["Items"]
    for item in all_items():
        assert item.keys() == wanted.keys()


def test_the_filter_of_a_planner_finds_the_spot_price_and_its_traps():
    size = SIZES["Standard_NV36ads_A10_v5"]
    is_wanted = reading(
        "serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and armRegionName eq 'eastus' "
        f"and armSkuName eq '{size.name}' and contains(meterName,'Spot')"
    )
    found = [item for item in all_items() if is_wanted(item)]
    assert [item["productName"].endswith("Windows") for item in found] == [False, True]
    assert found[0]["retailPrice"] == size.spot_usd_per_hour


@pytest.mark.parametrize("text", ["name gt 'a'", "a eq 'b' or c eq 'd'", "drop table"])
def test_a_filter_that_is_not_understood_is_refused(text):
    with pytest.raises(ValueError, match="OData"):
        reading(text)


def test_pages_skip_nobody_when_machines_come_and_go_between_them():
    items = {f"{number:03d}": number for number in range(0, 100, 2)}
    seen, token = page(items.items(), "", 20)
    del items["000"]
    items["001"] = 1
    while token:
        more, token = page(items.items(), token, 20)
        seen += more
    assert seen == list(range(0, 100, 2))


def test_a_made_up_place_in_a_listing_is_refused():
    with pytest.raises(Problem, match="skiptoken"):
        page([], "%%%")
