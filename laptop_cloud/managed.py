"""The machines that a controller makes by Resource Manager: real ones, and hollow ones above eight.

Beside the VMs of `laptop-cloud up --vms N`, which no controller touches.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import RUNNING_FILE, running_toml
from laptop_cloud.cloud import LaptopCloud, vm_environ, write_atomically
from laptop_cloud.machines.room import MachineRoom
from laptop_cloud.machines.vm import VmSpec
from laptop_cloud.resource_manager import server
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import REAL_MACHINES, Backends, Plan
from laptop_cloud.resource_manager.fleet_tables import VCPUS, operators_tables
from laptop_cloud.resource_manager.hollow import HollowMachines, keep_reporting
from laptop_cloud.resource_manager.quota import Quotas
from laptop_cloud.resource_manager.real import RealMachines
from laptop_cloud.resource_manager.records import Machine
from laptop_cloud.resource_manager.server import ResourceManager

STATE_FILE = "resource-manager.json"
SLOTS_TAG = "tilefleet-slots"
REPORT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ManagedPlan:
    """What a controller finds."""

    most_machines: int = REAL_MACHINES
    """In the fleet file; above eight they are hollow."""
    speed: float = 1.0
    """Seconds of the cloud in one of this laptop."""


@dataclass(frozen=True, slots=True)
class Managed:
    """Resource Manager, and the machines behind it that are not processes."""

    manager: ResourceManager
    hollow: HollowMachines


@contextlib.contextmanager
def machines(cloud: LaptopCloud, room: MachineRoom, plan: ManagedPlan) -> Iterator[Managed]:
    """Served while the context lasts, and written into the fleet file that the programs find.

    Machines of an earlier run are there again, and those that ran boot.
    """
    clock = CloudClock(plan.speed)
    hollow = HollowMachines(clock)
    real = RealMachines(room, lambda machine: _spec(cloud, machine))
    quotas = Quotas(spot_vcpus=max(Quotas().spot_vcpus, plan.most_machines * VCPUS))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_reports(cloud, hollow))
        manager = stack.enter_context(
            server.running(cloud.home / STATE_FILE, clock, Backends(hollow, real), plan=Plan(quotas=quotas))
        )
        tables = operators_tables(manager.url, manager.account, plan.most_machines)
        write_atomically(cloud.home / RUNNING_FILE, running_toml(cloud.fleet, os.getpid()) + tables)
        yield Managed(manager, hollow)


def _spec(cloud: LaptopCloud, machine: Machine) -> VmSpec:
    return VmSpec(
        machine.name,
        slots=int(machine.tags.get(SLOTS_TAG, "1")),
        environ=vm_environ(cloud.home, REAL_MACHINES),
        size=machine.size,
        location=machine.location,
        tags=machine.tags,
    )


@contextlib.contextmanager
def _reports(cloud: LaptopCloud, hollow: HollowMachines) -> Iterator[None]:
    store = AzureBlobStore(AzureClients(storage_endpoints(cloud.fleet)))
    stop = threading.Event()
    reporter = threading.Thread(
        target=keep_reporting, args=(hollow, store, REPORT_SECONDS, stop), name="hollow-reports"
    )
    reporter.start()
    try:
        yield
    finally:
        stop.set()
        reporter.join()
