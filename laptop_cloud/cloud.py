"""The laptop cloud put together: storage, imagery, and N consumers, all processes of this machine.

While it runs, `<home>/running.toml` says where it is, so that `producer`, `consumer` and `fleetctl` find it
without being told. Leaving the context ends everything that it started, in the reverse order.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import BadInput
from contract.fleet import LAPTOP_VARIABLE, RUNNING_FILE, Fleet, choose_fleet, running_toml
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue
from laptop_cloud import azurite, imagery_server, processes, stac

FLEET_NAME = "laptop"
CONTAINER = "tilefleet"
MEMORY_SHARE = 0.5
"""Of this machine's memory, for all consumers together."""
LEAVE_LIMIT_SECONDS = 40
"""A consumer's grace of 25 s and some more before it is killed."""


@dataclass(frozen=True, slots=True)
class Consumers:
    """The workers of a laptop cloud."""

    count: int = 3
    arguments: tuple[str, ...] = ()
    """After `consumer run`."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """More variables, over those that every laptop consumer gets."""


@dataclass(frozen=True, slots=True)
class LaptopCloud:
    """One that runs."""

    home: Path
    fleet: Fleet
    environ: Mapping[str, str]
    """For programs that shall talk to it."""


@contextlib.contextmanager
def running(home: Path, data: Path, *, scenes: Path | None = None) -> Iterator[LaptopCloud]:
    """Storage over `data` and, given a folder of scenes, imagery. BadInput when one runs already."""
    _refuse_second(home)
    with contextlib.ExitStack() as stack:
        stack.enter_context(processes.unwinding_on_sigterm())
        endpoints = stack.enter_context(azurite.running(azurite.install(home), data))
        stac_url = f"http://{processes.LOOPBACK}:9"  # no imagery: refused at once, never asked elsewhere
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
        _write_atomically(home / RUNNING_FILE, running_toml(fleet, os.getpid()))
        yield LaptopCloud(home, fleet, {**os.environ, LAPTOP_VARIABLE: str(home), "FLEET": FLEET_NAME})


@contextlib.contextmanager
def consumers(cloud: LaptopCloud, wanted: Consumers) -> Iterator[list[processes.Child]]:
    """N consumers, told to leave together on the way out."""
    children: list[processes.Child] = []
    try:
        # One by one into the list, so that those started are ended when a later one cannot be.
        children.extend(start_consumer(cloud, wanted, number) for number in range(1, wanted.count + 1))
        yield children
    finally:
        for child in children:
            if child.is_running():
                child.process.terminate()
        for child in children:
            processes.stop(child, limit_seconds=LEAVE_LIMIT_SECONDS)


def start_consumer(cloud: LaptopCloud, wanted: Consumers, number: int) -> processes.Child:
    """One more consumer, by its number."""
    name = f"laptop-{number}"
    cores = len(os.sched_getaffinity(0))
    threads = str(max(1, cores // wanted.count))
    memory = int(psutil.virtual_memory().total * MEMORY_SHARE / wanted.count)
    environ = {
        **cloud.environ,
        "TILEFLEET_CONSUMER_WORKER": name,
        "TILEFLEET_CONSUMER_THREADS": threads,
        "TILEFLEET_CONSUMER_MEMORY_BYTES": str(memory),
        "TILEFLEET_CONSUMER_CACHE_FOLDER": str(cloud.home / "cache"),
        "TILEFLEET_CONSUMER_SCRATCH_FOLDER": str(cloud.home / "scratch" / name),
        "TILEFLEET_CONSUMER_HEARTBEAT_SECONDS": "2",
        "TILEFLEET_CONSUMER_IDLE_POLL_SECONDS": "2",
        # Before any library counts the cores for itself: three workers share them here.
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads),
        "GDAL_NUM_THREADS": "1",
        **wanted.environ,
    }
    command = [sys.executable, "-m", "consumer", "run", *wanted.arguments]
    return processes.start(command, name=name, log_path=cloud.home / "logs" / f"{name}.log", environ=environ)


def _refuse_second(home: Path) -> None:
    try:
        choose_fleet("laptop", {LAPTOP_VARIABLE: str(home)}, Path.cwd())
    except BadInput:
        return
    raise BadInput(f"a laptop cloud runs already in {home}: stop it first, or use it (it is found by itself)")


def ensure_storage(fleet: Fleet) -> None:
    """Its container and queues, made unless they are there."""
    clients = AzureClients(storage_endpoints(fleet))
    AzureBlobStore(clients).ensure()
    names = queue_names(fleet.name)
    for name in (names.tiles, names.urgent, names.poison):
        AzureTileQueue(clients, name).ensure()


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
