"""Machines that are made by Resource Manager and are real: a consumer each, evicted, refused, and gone at the end."""

from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import BadInput
from contract.fleet import LAPTOP_VARIABLE, RUNNING_FILE
from contract.heartbeat import read_heartbeats
from fleetctl.fleet_file import read_operator_file
from laptop_cloud import managed
from laptop_cloud.cloud import LaptopCloud
from laptop_cloud.control import server
from laptop_cloud.control.client import order
from laptop_cloud.control.managed_orders import ManagedOrders
from laptop_cloud.machines.fleet import fleet
from laptop_cloud.managed import ManagedPlan
from tests.fleet_rig import wait_for
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, body, client

pytestmark = pytest.mark.slow
REPOSITORY = str(Path(__file__).resolve().parents[2])
NAME = "laptop-cpu-0001"


@pytest.fixture
def laptop(azurite, tmp_path, monkeypatch):
    """A laptop cloud without VMs of its own, that takes orders, and whose clock is fast."""
    monkeypatch.setenv("PYTHONPATH", REPOSITORY)
    monkeypatch.setenv(LAPTOP_VARIABLE, str(tmp_path))
    with fleet(azurite, tmp_path, 0, relay=False) as running:
        cloud = LaptopCloud(tmp_path, replace(running.fleet, name="laptop"), running.environ)
        plan = ManagedPlan(most_machines=9, speed=50)
        with (
            managed.machines(cloud, running.room, plan) as controlled,
            server.running(tmp_path, cloud, running.room, ManagedOrders(controlled)),
        ):
            yield controlled, running


def workers(running):
    store = AzureBlobStore(AzureClients(storage_endpoints(running.fleet)))
    return {seen.heartbeat.vm for seen in read_heartbeats(store).seen}


def test_a_machine_is_a_consumer_from_its_creation_to_its_end(laptop):
    controlled, running = laptop
    vms = client(controlled.manager).virtual_machines
    vms.begin_create_or_update(GROUP, NAME, body(NAME)).result()
    consumer = psutil.Process(running.room.vms[NAME].consumer_pid)
    (row,) = order(running.folder, "vms")
    assert (row["name"], row["power"], row["consumer"]) == (NAME, "running", "works")
    consumer.kill()
    wait_for(lambda: running.room.vms[NAME].consumer_pid not in (None, consumer.pid), "its service manager")
    consumer = psutil.Process(running.room.vms[NAME].consumer_pid)
    order(running.folder, "evict", vm=NAME, notice_seconds=None)
    wait_for(lambda: not consumer.is_running(), "the eviction")
    view = lambda: [s.code for s in vms.instance_view(GROUP, NAME).statuses]  # noqa: E731
    wait_for(lambda: "PowerState/deallocated" in view(), "its deallocation")
    order(running.folder, "start", vm=NAME)
    wait_for(lambda: "PowerState/running" in view(), "the second boot")
    assert running.room.vms[NAME].boot.number == 2
    vms.begin_delete(GROUP, NAME, force_deletion=True).result()
    assert running.room.vms == {}
    assert not (running.folder / "vms" / NAME).exists()


def test_a_machine_above_the_limit_is_hollow_and_orders_reach_it(laptop):
    controlled, running = laptop
    machines = controlled.manager.compute.world.machines
    compute = controlled.manager.compute
    compute._plan = replace(compute._plan, real_machines=0)
    vms = client(controlled.manager).virtual_machines
    vms.begin_create_or_update(GROUP, NAME, body(NAME)).result()
    assert machines[NAME].kind == "hollow"
    assert order(running.folder, "hold", vm=None, tiles=2).startswith("1 hollow VMs")
    wait_for(lambda: NAME in workers(running), "its heartbeat")
    assert "unfit" in order(running.folder, "sicken", vm=NAME)
    order(running.folder, "refuse", region="", size="", seconds=1e6, later=False, regular=False)
    order(running.folder, "evict", vm=None, notice_seconds=None)
    wait_for(lambda: machines[NAME].power == "deallocated", "the eviction")
    with pytest.raises(BadInput, match="SkuNotAvailable"):
        order(running.folder, "start", vm=NAME)
    order(running.folder, "restore")
    assert order(running.folder, "start", vm=NAME) == f"{NAME}: starts"
    with pytest.raises(BadInput, match="there is no region 'mars'"):
        order(running.folder, "others-use", region="mars", vcpus=1)


def test_the_fleet_file_of_a_laptop_cloud_is_one_that_the_controller_reads(laptop):
    controlled, running = laptop
    path = running.folder / RUNNING_FILE
    file = read_operator_file(path, "laptop")
    assert file.azure.resource_manager_url == controlled.manager.url
    assert (file.policy.limits.vms, file.policy.pools[0].max_vms) == (9, 9)
    assert tomllib.loads(path.read_text())["pid"] == str(os.getpid())
