"""A fleet from its file to its last machine, as it is typed: real storage, and the laptop's Resource Manager."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contract import artifact_names
from fleetctl.cloud.azure import AzureMachines
from fleetctl.cloud.clients import NoCredential
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.cloud.new_vms import new_vm_maker
from fleetctl.cloud.permissions import Permission
from fleetctl.cloud.place import place_of
from fleetctl.controller.policy import Priority
from fleetctl.controller.snapshot import Power
from fleetctl.fleet_file import read_operator_file
from laptop_cloud.resource_manager import server
from laptop_cloud.resource_manager.capacity import Shortage
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import Backends, Plan
from laptop_cloud.resource_manager.hollow import HollowMachines
from laptop_cloud.resource_manager.quota import Quotas
from tests.fleet_rig import FleetRig, wait_for

pytestmark = pytest.mark.slow
SPEED = 200
"""A minute of the cloud is .3 s here."""
TWO = "bbox:-4.9,54.0,-4.7,54.1"
SUBSCRIPTION = "00000000-0000-0000-0000-00000000cafe"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/laptop"
TABLES = """
[azure]
subscription = "{subscription}"
resource_group = "laptop"
resource_manager_url = "{url}"
[budget]
usd = 5
[[pools]]
name = "cpu"
region = "westeurope"
size = "{size}"
image = "{group}/providers/Microsoft.Compute/images/tilefleet"
subnet = "{group}/providers/Microsoft.Network/virtualNetworks/laptop/subnets/workers"
max = 3
"""


class Wall:
    """The time that the cloud's clock follows."""

    def __init__(self):
        self._stopped_at: float | None = None

    def __call__(self) -> float:
        return time.time() if self._stopped_at is None else self._stopped_at

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """What takes the cloud a tenth of a second is under way until then, however slow this machine is."""
        self._stopped_at = time.time()
        try:
            yield
        finally:
            self._stopped_at = None


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def manager(tmp_path, wall):
    clock = CloudClock(SPEED, wall=wall)
    plan = Plan(quotas=Quotas(spot_vcpus=100))
    with server.running(
        tmp_path / "state.json", clock, Backends(HollowMachines(clock)), plan=plan
    ) as running:
        yield running


@pytest.fixture
def write_file(rig: FleetRig, manager):
    path = rig.folder / "fleets" / f"{rig.fleet.name}.toml"
    storage = path.read_text()

    def write(*, size: str = "Standard_D2s_v5"):
        tables = TABLES.format(subscription=SUBSCRIPTION, group=GROUP, url=manager.url, size=size)
        path.write_text(storage + tables)
        return path

    write()
    return write


def connect(rig: FleetRig, path):
    file = read_operator_file(path, rig.fleet.name)
    return AzureMachines(place_of(rig.fleet, file), NoCredential()), new_vm_maker(rig.fleet, file)


def powers(machines) -> dict[str, Power]:
    return {vm.name: vm.power for vm in machines.list_states()}


def json_in(said: str):
    """What a command printed on both streams, from the first line that is a bracket alone."""
    lines = said.splitlines()
    return json.loads("\n".join(lines[next(n for n, line in enumerate(lines) if line in "[{") :]))


def test_the_adapter_leads_a_machine_through_its_life(rig, write_file, wall):
    machines, new_vm = connect(rig, write_file())
    name = f"{rig.fleet.name}-cpu-0001"
    machines.create(new_vm(name))
    wait_for(lambda: powers(machines) == {name: Power.RUNNING}, "the machine to run")
    machines.create(new_vm(name))
    assert len(powers(machines)) == 1, "created twice is one machine"
    assert machines.quota("westeurope", Priority.SPOT).used == 2
    with wall.stopped():
        machines.deallocate(name)
        with pytest.raises(Refused) as conflict:
            machines.start(name)
    assert conflict.value.kind is Refusal.CONFLICT
    wait_for(lambda: powers(machines) == {name: Power.DEALLOCATED}, "the machine to be deallocated")
    assert machines.quota("westeurope", Priority.SPOT).used == 2, "deallocated ones keep quota"
    machines.start(name)
    wait_for(lambda: powers(machines) == {name: Power.RUNNING}, "the machine to run again")
    machines.delete(name)
    wait_for(lambda: powers(machines) == {}, "the machine to be gone")
    machines.delete(name)  # one that is gone is deleted
    assert list(machines.leaks()) == []
    assert machines.sizes("westeurope")["standard_d2s_v5"].is_spot
    assert machines.is_allowed(Permission("Microsoft.Compute/virtualMachines/write", GROUP, ""))


def test_a_fleet_that_cannot_work_is_refused_with_every_reason_before_anything_is_made(rig, write_file):
    write_file(size="Standard_Z9s_v9")
    said = rig.type("fleetctl", "up", "--yes", status=2)
    assert "westeurope has no size Standard_Z9s_v9" in said
    assert "no price is known of spot Standard_Z9s_v9" in said
    assert "nothing was made" in said
    path = write_file()
    path.write_text(path.read_text().replace("usd = 5", "usd = 0.001").replace("max = 3", "max = 3\nhue = 1"))
    said = rig.type("fleetctl", "up", "--yes", status=2)
    assert re.search(r"line \d+: pools\.0\.hue: it is unknown", said)
    assert re.search(r"line \d+: budget\.usd is 0\.001, one hour of spot", said), "told beside the other"
    path = write_file()
    assert "nothing was made: confirm it, or add --yes" in rig.type("fleetctl", "up", status=2)
    assert list(rig.store.names("control/")) == []
    assert powers(connect(rig, write_file())[0]) == {}


def test_a_fleet_is_planned_brought_up_obeys_and_goes_down(rig, write_file, manager):
    machines, _ = connect(rig, write_file())
    rig.enqueue(TWO)
    planned = json_in(rig.type("fleetctl", "plan", "--json"))
    first, second = (f"{rig.fleet.name}-cpu-000{number}" for number in (1, 2))
    assert [(action["verb"], action["target"]) for action in planned["actions"]] == [
        ("create", first),
        ("create", second),
    ]
    assert list(rig.store.names("control/")) == [], "plan writes nothing"
    assert powers(machines) == {}
    manager.compute.capacity.refuse(Shortage("", "", until=manager.compute.clock.now() + 1e9), 0.0)
    assert f"refused: create {first}" in rig.type("fleetctl", "up", "--yes", status=1)
    manager.compute.capacity.restore()
    rig.store.delete(artifact_names.CONTROLLER_MEMORY)  # which would look elsewhere for a while
    assert f"create {first}" in rig.type("fleetctl", "up", "--yes")
    wait_for(lambda: set(powers(machines).values()) == {Power.RUNNING}, "two machines to run")

    assert "stays so until `fleetctl start`" in rig.type("fleetctl", "stop", first)
    rig.type("fleetctl", "watch", "--once")
    wait_for(lambda: powers(machines)[first] is Power.DEALLOCATED, "the first machine to stop")
    rig.type("fleetctl", "start", first)
    rig.type("fleetctl", "watch", "--once")
    wait_for(lambda: powers(machines)[first] is Power.RUNNING, "the first machine to start")
    assert "a person typed `fleetctl stop`" in rig.type("fleetctl", "logs", first)

    said = rig.type("fleetctl", "down", "--no-wait", "--yes")
    assert "what stays: the container" in said
    assert [name.rpartition("/")[2] for name in rig.store.names(artifact_names.WISHES_PREFIX)] == ["down"]


def test_doctor_finds_each_trouble_by_itself(rig, write_file):
    findings = json_in(rig.type("fleetctl", "doctor", "--json"))
    assert all(finding["is_well"] for finding in findings), findings
    path = write_file(size="Standard_Z9s_v9")
    path.write_text(path.read_text().replace("max = 3", "max = 0"))
    said = rig.type("fleetctl", "doctor", "--before", status=1)
    assert "pools.0.max" in said
    assert "mend the file" in said
