"""The adapter on the wire: what it asks of Resource Manager, and what it makes of the answers."""

import base64
import time

import pytest

from contract.errors import BadInput
from fleetctl.cloud.azure import AzureMachines
from fleetctl.cloud.clients import NoCredential
from fleetctl.cloud.machines import NewVm, Refusal, Refused
from fleetctl.cloud.place import Place
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Power, Quota
from tests.unit.fleetctl.cloud.scripted_manager import scripted_manager

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/UK"
VMS = "Microsoft.Compute/virtualMachines"
A10 = Offer("westeurope", "Standard_NV36ads_A10_v5", Priority.SPOT)
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/workers"


@pytest.fixture
def manager():
    with scripted_manager() as scripted:
        yield scripted


@pytest.fixture
def machines(manager):
    return AzureMachines(Place("uk", SUBSCRIPTION, "uk", {"a10": A10}, manager.url), NoCredential())


def state(name, *codes, group=GROUP):
    statuses = [{"code": code} for code in codes]
    return {
        "name": name,
        "id": f"{group}/providers/{VMS}/{name}",
        "location": "westeurope",
        "properties": {"instanceView": {"statuses": statuses}},
    }


def model(name, fleet="uk", size=A10.size):
    tags = {"tilefleet-fleet": fleet} if fleet else {}
    properties = {"hardwareProfile": {"vmSize": size}, "priority": "Spot"}
    return {
        "name": name,
        "id": f"{GROUP.lower()}/providers/{VMS}/{name}",
        "tags": tags,
        "properties": properties,
    }


def new_vm(name="uk-a10-0001", **changes):
    values = {
        "name": name,
        "offer": A10,
        "image": "Canonical:ubuntu-24_04-lts:server:latest",
        "subnet": SUBNET,
        "identity": "",
        "user_data": "#cloud-config\n",
        "disk_gb": 64,
        "ssh_public_key": "",
    }
    return NewVm(**{**values, **changes})


def refusal(call):
    with pytest.raises(Refused) as caught:
        call()
    return caught.value


def test_states_come_page_by_page_and_the_full_listing_is_read_only_for_new_machines(manager, machines):
    page = f"/subscriptions/{SUBSCRIPTION}/providers/{VMS}"
    second = {"value": [state("uk-a10-0002", "PowerState/deallocated")]}
    first = {"value": [state("uk-a10-0001", "PowerState/running")], "nextLink": f"{manager.url}{page}?page=2"}
    manager.when("GET", f"{page}?", 200, first)
    manager.when("GET", "page=2", 200, second)
    manager.when(
        "GET",
        f"resourceGroups/uk/providers/{VMS}",
        200,
        {"value": [model("uk-a10-0001"), model("uk-a10-0002")]},
    )
    powers = {vm.name: (vm.power, vm.pool, vm.offer) for vm in machines.list_states()}
    assert powers == {
        "uk-a10-0001": (Power.RUNNING, "a10", A10),
        "uk-a10-0002": (Power.DEALLOCATED, "a10", A10),
    }
    manager.asked.clear()
    list(machines.list_states())
    assert len(manager.asked) == 2, "one request a page, and none besides"
    assert "statusOnly=true" in manager.asked[0].path


def test_only_machines_of_this_fleet_count_and_a_tagged_stranger_is_told_apart(manager, machines):
    other_group = GROUP.replace("UK", "other")
    listed = [
        state("uk-a10-0001"),
        state("uk-a10-0009"),
        state("build-7"),
        state("mine"),
        state("uk-a10-0002", group=other_group),
    ]
    manager.when("GET", f"{SUBSCRIPTION}/providers/{VMS}", 200, {"value": listed})
    known = [
        model("uk-a10-0001"),
        model("uk-a10-0009", fleet="france"),
        model("build-7", fleet=""),
        model("mine"),
    ]
    manager.when("GET", f"resourceGroups/uk/providers/{VMS}", 200, {"value": known})
    assert {vm.name: vm.pool for vm in machines.list_states()} == {"uk-a10-0001": "a10", "mine": ""}


def test_a_machine_that_the_full_listing_lacks_still_is_taken_for_its_pools(manager, machines):
    manager.when("GET", f"{SUBSCRIPTION}/providers/{VMS}", 200, {"value": [state("uk-a10-0001")]})
    manager.when("GET", f"resourceGroups/uk/providers/{VMS}", 200, {"value": []})
    assert [vm.offer for vm in machines.list_states()] == [A10]


def test_half_a_listing_is_no_small_fleet(manager, machines):
    page = f"/subscriptions/{SUBSCRIPTION}/providers/{VMS}"
    manager.when("GET", f"{page}?", 200, {"value": [], "nextLink": f"{manager.url}/broken"})
    manager.when("GET", "/broken", 503, {"error": {"code": "ServiceUnavailable", "message": "later"}})
    assert refusal(lambda: list(machines.list_states())).kind is Refusal.TROUBLE


def test_a_machine_is_created_with_all_that_goes_when_it_goes(manager, machines):
    manager.when("PUT", VMS, 201, {"name": "uk-a10-0001", "properties": {"provisioningState": "Creating"}})
    identity = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/workers"
    machines.create(new_vm(identity=identity, tags={"team": "maps"}))
    (asked,) = manager.asked
    properties = asked.body["properties"]
    assert asked.body["tags"] == {"team": "maps", "tilefleet-fleet": "uk"}
    assert asked.body["identity"]["userAssignedIdentities"] == {identity: {}}
    assert (properties["priority"], properties["evictionPolicy"]) == ("Spot", "Deallocate")
    assert properties["billingProfile"]["maxPrice"] == -1
    assert properties["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    interface = properties["networkProfile"]["networkInterfaceConfigurations"][0]
    assert interface["properties"]["deleteOption"] == "Delete"
    assert "publicIPAddressConfiguration" not in interface["properties"]["ipConfigurations"][0]["properties"]
    assert base64.b64decode(properties["osProfile"]["customData"]) == b"#cloud-config\n"
    assert properties["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"].startswith(
        "ssh-ed25519 "
    )


def test_regular_machines_have_no_word_of_spot(manager, machines):
    manager.when("PUT", VMS, 201, {})
    machines.create(new_vm(offer=Offer("westeurope", A10.size, Priority.REGULAR)))
    assert not {"priority", "evictionPolicy", "billingProfile"} & set(manager.asked[0].body["properties"])


@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (409, "PropertyChangeNotAllowed")])
def test_creating_what_is_there_changes_nothing_and_is_no_error(manager, machines, status, code):
    manager.when("PUT", VMS, status, {"error": {"code": code, "message": "it exists"}})
    machines.create(new_vm())
    assert manager.asked[0].headers["If-None-Match"] == "*"


def test_quota_and_throttling_share_a_code_and_are_told_apart(manager, machines):
    text = "exceeding approved LowPriorityCores quota. Current Limit: 36, Current Usage: 36, Additional Required: 36"
    manager.when("PUT", VMS, 409, {"error": {"code": "OperationNotAllowed", "message": text}})
    assert refusal(lambda: machines.create(new_vm())).kind is Refusal.QUOTA
    began = time.monotonic()
    manager.when("POST", "/start", 429, {"code": "OperationNotAllowed", "message": "x"}, Retry_After="1200")
    refused = refusal(lambda: machines.start("uk-a10-0001"))
    assert (refused.kind, refused.retry_after_seconds) == (Refusal.THROTTLED, 1200)
    assert time.monotonic() - began < 60, "no call sleeps for as long as Azure says"
    assert len(manager.asked) == 2, "and none is made twice"


def test_calls_are_asked_once_and_not_polled(manager, machines):
    operation = f"{manager.url}/operations/1"
    manager.when("POST", VMS, 202, None, Azure_AsyncOperation=operation, Location=operation, Retry_After="30")
    manager.when("DELETE", VMS, 202, None, Azure_AsyncOperation=operation, Location=operation)
    manager.when("POST", "simulateEviction", 204)
    machines.start("uk-a10-0001")
    machines.deallocate("uk-a10-0001")
    machines.delete("uk-a10-0001")
    machines.simulate_eviction("uk-a10-0001")
    assert [asked.path.partition("?")[0].rpartition("/")[2] for asked in manager.asked] == [
        "start",
        "deallocate",
        "uk-a10-0001",
        "simulateEviction",
    ]
    assert "forceDeletion=true" in manager.asked[2].path


def test_a_machine_that_is_gone_is_deleted_but_cannot_be_started(manager, machines):
    machines.delete("uk-a10-0001")
    assert refusal(lambda: machines.start("uk-a10-0001")).kind is Refusal.GONE


def test_leaks_are_what_no_listed_machine_owns(manager, machines):
    disks, nics = "Microsoft.Compute/disks", "Microsoft.Network/networkInterfaces"

    def resource(kind, name, **more):
        return {"id": f"{GROUP}/providers/{kind}/{name}", "name": name, **more}

    def found(*values):
        return {"value": list(values)}

    manager.when("GET", f"{SUBSCRIPTION}/providers/{VMS}", 200, found(state("uk-a10-0001")))
    manager.when("GET", f"resourceGroups/uk/providers/{VMS}", 200, found(model("uk-a10-0001")))
    manager.when(
        "GET",
        disks,
        200,
        found(
            resource(disks, "uk-a10-0001-os"),
            resource(disks, "uk-a10-0002-os"),
            resource(disks, "uk-a10-0003-os", managedBy="/some/vm"),
            resource(disks, "data", tags={"tilefleet-fleet": "uk"}),
            resource(disks, "database"),
        ),
    )
    used = {"properties": {"virtualMachine": {"id": "x"}}}
    manager.when(
        "GET", nics, 200, found(resource(nics, "uk-a10-0004-nic", **used), resource(nics, "uk-a10-0005-nic"))
    )
    leaked = list(machines.leaks())
    assert [name.rpartition("/")[2] for name in leaked] == ["uk-a10-0002-os", "data", "uk-a10-0005-nic"]
    manager.when("DELETE", "uk-a10", 202)
    machines.delete_resource(leaked[0])
    machines.delete_resource(leaked[2])
    assert (
        refusal(lambda: machines.delete_resource("/subscriptions/x/providers/Other/things/y")).kind
        is Refusal.MISTAKE
    )


def test_quota_counts_spot_and_regular_apart(manager, machines):
    def usage(name, limit, used):
        return {"unit": "Count", "limit": limit, "currentValue": used, "name": {"value": name}}

    values = [usage("cores", 100, 40), usage("lowPriorityCores", 350, 36)]
    manager.when("GET", "westeurope/usages", 200, {"value": values})
    assert machines.quota("westeurope", Priority.SPOT) == Quota(350, 36)
    assert machines.quota("westeurope", Priority.REGULAR) == Quota(100, 40)


def test_what_is_left_of_the_allowances_is_remembered(manager, machines):
    manager.when("POST", "/start", 202, None, x_ms_ratelimit_remaining_subscription_writes="42")
    machines.start("uk-a10-0001")
    assert machines.rate_left.writes == 42


def test_a_plain_text_endpoint_elsewhere_is_refused_before_a_token_goes_there():
    with pytest.raises(BadInput, match="must use https"):
        AzureMachines(Place("uk", SUBSCRIPTION, "uk", {}, "http://example.com"), NoCredential())


def test_nobody_there_is_trouble(machines, manager):
    gone = AzureMachines(Place("uk", SUBSCRIPTION, "uk", {}, "http://127.0.0.1:9"), NoCredential())
    assert refusal(lambda: gone.start("uk-a10-0001")).kind is Refusal.TROUBLE
