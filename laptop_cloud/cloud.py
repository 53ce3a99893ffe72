"""The laptop cloud put together: storage, imagery, and N virtual machines, all processes of this machine.

While it runs, `<home>/running.toml` says where it is, so that `producer`, `consumer` and `fleetctl` find it
without being told. Leaving the context ends everything that it started, in the reverse order.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import BadInput
from contract.fleet import LAPTOP_VARIABLE, RUNNING_FILE, Fleet, running_toml
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue
from laptop_cloud import azurite, imagery_server, processes, relay_control, stac, turns
from laptop_cloud.machines import room
from laptop_cloud.machines.room import MachineRoom
from laptop_cloud.machines.vm import VmSpec
from laptop_cloud.relay_control import RelayControl

FLEET_NAME = "laptop"
CONTAINER = "tilefleet"
LOCK_FILE = "running.lock"
"""Held from before anything is read or drawn until all has ended."""
MEMORY_SHARE = 0.5
"""Of this machine's memory, for the tiles of all VMs together."""


@dataclass(frozen=True, slots=True)
class Machines:
    """The VMs of a laptop cloud."""

    count: int = 3
    slots: int = 1
    """Of each."""


@dataclass(frozen=True, slots=True)
class LaptopCloud:
    """One that runs."""

    home: Path
    fleet: Fleet
    environ: Mapping[str, str]
    """For programs that shall talk to it."""
    imagery_url: str = ""
    """Of the server of image files; empty: there is none."""
    storage_url: str = ""
    """Of the queues, past the relay."""
    relay: RelayControl | None = None
    """What stands before the storage, when wanted."""


@contextlib.contextmanager
def running(
    home: Path, data: Path, *, scenes: Path | None = None, relay: bool = False
) -> Iterator[LaptopCloud]:
    """Storage over `data` and, given a folder of scenes, imagery. For whoever is the folder's `sole` user.

    `relay`: everybody reaches the storage through one that can be told to misbehave.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.unwinding_on_sigterm())
        endpoints = stack.enter_context(azurite.running(azurite.install(home), data))
        relayed, storage_url = None, endpoints.queue_url
        if relay:
            relayed = stack.enter_context(relay_control.running(endpoints, home / "logs" / "relay.log"))
            endpoints = relayed.endpoints
        images_url, stac_url = (
            "",
            f"http://{processes.LOOPBACK}:9",
        )  # no imagery: refused at once, never asked elsewhere
        if scenes is not None:
            images_url = stack.enter_context(imagery_server.running(scenes, home / "logs" / "imagery.log"))
            stac_url = stack.enter_context(stac.running(scenes, images_url, home / "stac"))
        fleet = Fleet(
            name=FLEET_NAME,
            kind="laptop",
            location="here",
            queue_url=endpoints.queue_url,
            blob_url=endpoints.blob_url,
            container=CONTAINER,
            stac_url=stac_url,
        )
        ensure_storage(fleet)
        stack.callback((home / RUNNING_FILE).unlink, missing_ok=True)
        write_atomically(home / RUNNING_FILE, running_toml(fleet, os.getpid()))
        environ = {**os.environ, LAPTOP_VARIABLE: str(home), "FLEET": FLEET_NAME}
        yield LaptopCloud(home, fleet, environ, images_url, storage_url, relayed)


@contextlib.contextmanager
def machines(cloud: LaptopCloud, wanted: Machines) -> Iterator[MachineRoom]:
    """N VMs, started, told to leave together on the way out."""
    specs = [_spec(cloud, wanted, number) for number in range(wanted.count)]
    with room.running(cloud.home / "vms", cloud.home / "logs", cloud.environ, specs) as started:
        yield started


def _spec(cloud: LaptopCloud, wanted: Machines, number: int) -> VmSpec:
    # A person's machines: no controller that may be lost, and no cloud that they could ask.
    environ = {**vm_environ(cloud.home, wanted.count), "TILEFLEET_CONSUMER_DEAD_MAN_SECONDS": "0"}
    return VmSpec(f"laptop-{number + 1}", slots=wanted.slots, environ=environ)


def vm_environ(home: Path, count: int) -> dict[str, str]:
    """Of the programs of one of `count` VMs."""
    memory = int(psutil.virtual_memory().total * MEMORY_SHARE / count)
    return {
        "TILEFLEET_CONSUMER_MEMORY_BYTES": str(memory),
        # One for all: the weights and boundaries of several VMs are the same on one laptop.
        "TILEFLEET_CONSUMER_CACHE_FOLDER": str(home / "cache"),
        "TILEFLEET_CONSUMER_HEARTBEAT_SECONDS": "2",
        "TILEFLEET_CONSUMER_IDLE_POLL_SECONDS": "2",
    }


@contextlib.contextmanager
def sole(home: Path) -> Iterator[None]:
    """Meanwhile no other one begins there, whose files these would be, too. BadInput when one has begun already."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(turns.alone(home / LOCK_FILE, is_patient=False))
        except BlockingIOError:
            raise BadInput(
                f"a laptop cloud runs already in {home}, or is being started there: stop it first, or use it (once "
                "it runs, it is found by itself)"
            ) from None
        yield


def ensure_storage(fleet: Fleet) -> None:
    """Its container and queues, made unless they are there."""
    clients = AzureClients(storage_endpoints(fleet))
    AzureBlobStore(clients).ensure()
    names = queue_names(fleet.name)
    for name in (names.tiles, names.urgent, names.poison):
        AzureTileQueue(clients, name).ensure()


def write_atomically(path: Path, text: str) -> None:
    """Nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
