"""The machines that a controller makes by Resource Manager: real ones, and hollow ones above eight.

Beside the VMs of `laptop-cloud up --vms N`, which no controller touches.
"""

from __future__ import annotations

import contextlib
import os
import threading
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import FLEET_VARIABLE, RUNNING_FILE, Fleet, parse_fleet, running_toml
from fleetctl.cloud.user_data import fleet_toml
from fleetctl.controller.policy import Patience
from laptop_cloud.cloud import LaptopCloud, vm_environ, write_atomically
from laptop_cloud.machines import cloud_init
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
RESOURCE_MANAGER_VARIABLE = "TILEFLEET_CONSUMER_RESOURCE_MANAGER_URL"
SLOTS_VARIABLE = "SLOTS"
OWN_VARIABLES = frozenset(
    {"TILEFLEET_CONSUMER_DEVICE", "TILEFLEET_CONSUMER_CACHE_FOLDER", "TILEFLEET_CONSUMER_SCRATCH_FOLDER"}
)
"""Of what user data says, what a laptop's machine has of its own: its disks, and no GPU whatever its size."""
REPORT_SECONDS = 5.0
URL_LIMIT_SECONDS = 60.0
RESTART_SECONDS = 10.0
"""A worker that failed starts again after so long, as its systemd unit on a real machine says (infra/systemd)."""
SHORTEST_TICK_SECONDS = 1.0
SHORTEST_GRACE_SECONDS = 8.0
"""Real workers start, take and finish tiles in this laptop's seconds, however fast the clock of their cloud is."""


@dataclass(frozen=True, slots=True)
class ManagedPlan:
    """What a controller finds."""

    most_machines: int = REAL_MACHINES
    """In the fleet file; above eight they are hollow."""
    speed: float = 1.0
    """Seconds of the cloud in one of this laptop. The controller's patience is divided by it, too."""
    real_machines: int = REAL_MACHINES
    """The first so many are processes."""
    state_file: str = STATE_FILE
    """In the cloud's home: machines that an earlier run noted there are there again."""
    worker_environ: Mapping[str, str] = field(default_factory=dict)
    """Of real machines, over what they get anyway."""
    has_gpu: bool = False
    """Of real machines: their looks at themselves show a GPU that was sickened."""


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
    url: Future[str] = Future()  # machines of an earlier run boot while it is still unknown
    real = RealMachines(
        room, lambda machine: _spec(cloud, plan, room, url.result(URL_LIMIT_SECONDS), machine)
    )
    quotas = Quotas(spot_vcpus=max(Quotas().spot_vcpus, plan.most_machines * VCPUS))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_reports(cloud, hollow))
        manager = stack.enter_context(
            server.running(
                cloud.home / plan.state_file,
                clock,
                Backends(hollow, real),
                plan=Plan(quotas=quotas, real_machines=plan.real_machines),
            )
        )
        url.set_result(manager.url)
        tables = operators_tables(manager.url, manager.account, plan.most_machines) + _patience(plan.speed)
        write_atomically(cloud.home / RUNNING_FILE, running_toml(cloud.fleet, os.getpid()) + tables)
        yield Managed(manager, hollow)


def _patience(speed: float) -> str:
    """TOML. A cloud whose minutes are seconds wants a controller that looks and lets go as much sooner."""
    usual = Patience()
    tick_seconds = max(SHORTEST_TICK_SECONDS, usual.tick / max(1.0, speed))
    grace_seconds = max(SHORTEST_GRACE_SECONDS, usual.idle_grace / max(1.0, speed))
    return f"[patience]\ntick_seconds = {tick_seconds:g}\nidle_grace_seconds = {grace_seconds:g}\n"


def _spec(cloud: LaptopCloud, plan: ManagedPlan, room: MachineRoom, url: str, machine: Machine) -> VmSpec:
    told = _first_boot(cloud, room.system_disk(machine.name), machine)
    environ = vm_environ(cloud.home, min(plan.real_machines, plan.most_machines))
    return VmSpec(
        machine.name,
        slots=int(told.pop(SLOTS_VARIABLE, "1")),
        # A dead man's switch must end the machine that this cloud bills, and never ask a real one.
        environ={**told, **environ, RESOURCE_MANAGER_VARIABLE: url, **plan.worker_environ},
        size=machine.size,
        location=machine.location,
        tags=machine.tags,
        has_gpu=plan.has_gpu,
        restart_seconds=RESTART_SECONDS / max(1.0, plan.speed),
    )


def _first_boot(cloud: LaptopCloud, disk: Path, machine: Machine) -> dict[str, str]:
    """Write what the machine's user data says onto its disk; the variables of its workers. One without user data
    works for the laptop cloud's own fleet."""
    files = cloud_init.written_files(machine.user_data)
    variables = cloud_init.service_variables(files)
    if (path := variables.get(FLEET_VARIABLE, "")) in files:
        files[path] = _with_addresses_of_today(cloud.fleet, files[path])
        variables[FLEET_VARIABLE] = str(cloud_init.place_on(disk, path))
    cloud_init.write_files(files, disk)
    return {name: value for name, value in variables.items() if name not in OWN_VARIABLES}


def _with_addresses_of_today(laptop: Fleet, content: str) -> str:
    """A fleet file whose queues and container are as it says. A laptop's storage has other ports after each restart,
    which a machine of an earlier run cannot have been told."""
    told = parse_fleet(tomllib.loads(content), "the fleet file in the user data")
    return fleet_toml(replace(laptop, name=told.name, container=told.container))


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
