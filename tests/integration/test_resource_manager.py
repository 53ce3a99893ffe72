"""The laptop's Resource Manager, asked by the real azure-mgmt-compute over HTTP."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from laptop_cloud.resource_manager import server
from laptop_cloud.resource_manager.capacity import Shortage
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import Backends, Plan
from laptop_cloud.resource_manager.hollow import HollowMachines
from laptop_cloud.resource_manager.order import read_order
from laptop_cloud.resource_manager.pages import PAGE_ITEMS
from laptop_cloud.resource_manager.quota import Quotas
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, body, client

SPEED = 200
"""A minute of the cloud is .3 s here."""
QUOTAS = Quotas(spot_vcpus=5000)


def cloud(path, speed=SPEED):
    clock = CloudClock(speed)
    return server.running(
        path / "state.json", clock, Backends(HollowMachines(clock)), plan=Plan(quotas=QUOTAS)
    )


@pytest.fixture
def manager(tmp_path):
    with cloud(tmp_path) as running:
        yield running


def states(view):
    return [status.code for status in view.statuses]


@pytest.mark.slow
def test_pollers_follow_a_machine_through_its_whole_life(manager):
    vms = client(manager).virtual_machines
    made = vms.begin_create_or_update(GROUP, "a-0001", body("a-0001")).result()
    assert (made.provisioning_state, made.priority, made.location) == ("Succeeded", "Spot", "westeurope")
    for begin, power in [
        (vms.begin_power_off, "stopped"),
        (vms.begin_start, "running"),
        (vms.begin_restart, "running"),
        (vms.begin_deallocate, "deallocated"),
    ]:
        assert begin(GROUP, "a-0001").result() is None
        view = vms.get(GROUP, "a-0001", expand="instanceView").instance_view
        assert states(view) == ["ProvisioningState/succeeded", f"PowerState/{power}"]
    vms.begin_delete(GROUP, "a-0001", force_deletion=True).result()
    with pytest.raises(ResourceNotFoundError) as missing:
        vms.get(GROUP, "a-0001")
    assert missing.value.error.code == "ResourceNotFound"
    vms.begin_delete(GROUP, "a-0001").result()  # once more is no error


def test_an_order_is_accepted_with_absolute_links_to_follow(manager):
    azure = client(manager)
    answers = []
    azure.virtual_machines.begin_create_or_update(
        GROUP,
        "a-0001",
        body("a-0001"),
        polling=False,
        raw_response_hook=lambda r: answers.append(r.http_response),
    )
    (answer,) = answers
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Creating"
    for header in ("Azure-AsyncOperation", "Location"):
        assert answer.headers[header].startswith(f"{manager.url}/subscriptions/")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"
    assert "Microsoft.Compute/PutVMResource;11" in answer.headers["x-ms-ratelimit-remaining-resource"]


def test_a_simulated_eviction_answers_204_and_deallocates(manager):
    vms = client(manager).virtual_machines
    vms.begin_create_or_update(GROUP, "a-0001", body("a-0001")).result()
    vms.simulate_eviction(GROUP, "a-0001")
    deadline = time.monotonic() + 20
    while "PowerState/deallocated" not in states(vms.instance_view(GROUP, "a-0001")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_thousand_machines_are_listed_by_pages_and_each_page_is_one_request(manager):
    first, *_ = manager.compute.put(read_order("a-0000", GROUP, body("a-0000")))
    with manager.compute.at_this_moment() as world:
        for number in range(1, 2000):
            name = f"a-{number:04d}"
            world.machines[name] = replace(first, name=name)
    pages = client(manager).virtual_machines.list_all(status_only="true").by_page()
    sizes, listed = [], []
    for page in pages:
        names = [vm.name for vm in page]
        sizes.append(len(names))
        listed += names
    assert sizes == [PAGE_ITEMS] * 8
    assert listed == sorted(listed)
    assert len(set(listed)) == 2000


def test_a_listing_of_states_has_no_model_and_the_plain_one_no_states(manager):
    vms = client(manager).virtual_machines
    vms.begin_create_or_update(GROUP, "a-0001", body("a-0001")).result()
    (status,), (model,) = list(vms.list_all(status_only="true")), list(vms.list(GROUP))
    assert (status.hardware_profile, status.tags) == (None, None)
    assert states(status.instance_view)[-1] == "PowerState/running"
    assert (model.instance_view, model.tags) == (None, {"tilefleet-fleet": "uk"})
    assert status.id != model.id
    assert status.id.lower() == model.id.lower()
    assert [vm.name for vm in vms.list_by_location("westeurope")] == ["a-0001"]
    assert list(vms.list_by_location("uksouth")) == []
    with pytest.raises(HttpResponseError):
        list(vms.list(GROUP, expand="instanceView"))


def test_a_power_state_is_missing_now_and_then_only_when_that_is_asked_for(manager):
    vms = client(manager).virtual_machines
    vms.begin_create_or_update(GROUP, "a-0001", body("a-0001")).result()
    manager.forgetful.forget(100, 1e9)
    (forgotten,) = vms.list_all(status_only="true")
    assert states(forgotten.instance_view) == ["ProvisioningState/succeeded"]
    manager.forgetful.forget(0, 1)
    (known,) = vms.list_all(status_only="true")
    assert states(known.instance_view)[-1] == "PowerState/running"


def test_quota_arrives_as_a_conflict_and_says_its_numbers(manager):
    vms = client(manager).virtual_machines
    manager.compute.world.others_vcpus["westeurope"] = 4999
    with pytest.raises(ResourceExistsError) as refused:
        vms.begin_create_or_update(GROUP, "a-0001", body("a-0001"))
    assert refused.value.error.code == "OperationNotAllowed"
    assert "Current Limit: 5000, Current Usage: 4999, Additional Required: 2" in refused.value.error.message
    (used,) = [u for u in client(manager).usage.list("westeurope") if u.name.value == "lowPriorityCores"]
    assert (used.current_value, used.limit) == (4999, 5000)


@pytest.mark.parametrize(("later", "code"), [(False, "SkuNotAvailable"), (True, "AllocationFailed")])
def test_no_room_is_said_at_once_or_through_the_operation(manager, later, code):
    now = manager.compute.clock.now()
    manager.compute.capacity.refuse(Shortage("westeurope", "", now + 1e6, later), now)
    vms = client(manager).virtual_machines
    with pytest.raises(HttpResponseError) as refused:
        vms.begin_create_or_update(GROUP, "a-0001", body("a-0001")).result()
    assert refused.value.error.code == code
    assert [vm.provisioning_state for vm in vms.list(GROUP)] == (["Failed"] if later else [])
    assert manager.refused == ({} if later else {code: 1})


def test_throttling_shares_a_code_with_quota_and_says_how_long_to_wait(manager):
    manager.throttle.close(600 * SPEED)
    with pytest.raises(HttpResponseError) as refused:
        list(client(manager).virtual_machines.list_all(status_only="true"))
    assert refused.value.status_code == 429
    assert 500 < int(refused.value.response.headers["Retry-After"]) <= 600, "in seconds of the client"
    assert refused.value.response.json()["code"] == "OperationNotAllowed"


def test_disks_and_interfaces_that_a_machine_leaves_behind_are_found_and_deleted(manager):
    azure = client(manager)
    azure.virtual_machines.begin_create_or_update(GROUP, "a-0001", body("a-0001", goes=False)).result()
    (disk,) = azure.disks.list()
    assert disk.managed_by.endswith("/a-0001")
    with pytest.raises(HttpResponseError):
        azure.disks.begin_delete(GROUP, disk.name).result()
    azure.virtual_machines.begin_delete(GROUP, "a-0001").result()
    (disk,) = azure.disks.list_by_resource_group(GROUP)
    assert (disk.managed_by, disk.tags, disk.disk_size_gb) == (None, {"tilefleet-fleet": "uk"}, 64)
    interfaces = f"{manager.url}/subscriptions/{manager.account.subscription}/providers"
    interfaces += "/Microsoft.Network/networkInterfaces?api-version=2024-05-01"
    (interface,) = azure.send_request(HttpRequest("GET", interfaces)).json()["value"]
    assert "virtualMachine" not in interface["properties"]
    azure.disks.begin_delete(GROUP, disk.name).result()
    azure.send_request(HttpRequest("DELETE", f"{manager.url}{interface['id']}?api-version=2024-05-01"))
    assert manager.compute.world.attached == {}


def test_sizes_tell_their_vcpus_and_whether_they_are_ever_spot(manager):
    skus = client(manager).resource_skus.list(filter="location eq 'westeurope'")
    found = {sku.name: {c.name: c.value for c in sku.capabilities} for sku in skus}
    assert found["Standard_NV36ads_A10_v5"]["vCPUs"] == "36"
    assert found["Standard_NV36ads_A10_v5"]["LowPriorityCapable"] == "True"
    assert found["Standard_B2s"]["LowPriorityCapable"] == "False"


@pytest.mark.parametrize("of", ["", "/providers/Microsoft.Network/virtualNetworks/laptop/subnets/workers"])
def test_whoever_shows_a_token_may_do_everything(manager, of):
    scope = f"{manager.url}/subscriptions/{manager.account.subscription}/resourceGroups/{GROUP}{of}"
    url = f"{scope}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01"
    (granted,) = client(manager).send_request(HttpRequest("GET", url)).json()["value"]
    assert granted["actions"] == ["*"]


def test_prices_come_in_pages_to_anybody(manager):
    url, count = f"{manager.url}/api/retail/prices?$filter=contains(meterName,%20'Spot')", 0
    while url:
        with urllib.request.urlopen(url) as answer:
            page = json.load(answer)
        assert page["Count"] == len(page["Items"]) <= 100
        assert all("Spot" in item["meterName"] for item in page["Items"])
        count += page["Count"]
        url = page["NextPageLink"]
    assert count > 100


@pytest.mark.parametrize(
    ("place", "headers", "status", "code"),
    [
        (
            "/subscriptions/{s}/providers/Microsoft.Compute/virtualMachines?api-version=2026-04-01",
            {},
            401,
            "Auth",
        ),
        ("/subscriptions/{s}/providers/Microsoft.Compute/virtualMachines", None, 400, "MissingApiVersion"),
        (
            "/subscriptions/other/providers/Microsoft.Compute/virtualMachines?api-version=2026-04-01",
            None,
            404,
            "Sub",
        ),
        (
            "/subscriptions/{s}/resourceGroups/x/providers/Microsoft.Compute/disks?api-version=2026-03-02",
            None,
            404,
            "Re",
        ),
        (
            "/subscriptions/{s}/providers/Microsoft.Moon/rockets?api-version=2026-03-02",
            None,
            404,
            "InvalidResource",
        ),
    ],
)
def test_strangers_and_wrong_addresses_are_refused_in_azures_words(manager, place, headers, status, code):
    url = manager.url + place.format(s=manager.account.subscription)
    request = urllib.request.Request(
        url, headers={"Authorization": "Bearer x"} if headers is None else headers
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as answer:
        assert answer.status == status
        assert json.load(answer)["error"]["code"].startswith(code)
