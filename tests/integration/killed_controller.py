"""A controller as a process of its own on real storage, for a test that kills it at a call of its choice."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import Fleet
from contract.fleet_queues import FleetQueues
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue
from fleetctl.cloud.machines import NewVm
from fleetctl.controller import offers
from fleetctl.controller.assemble import World, assemble
from fleetctl.controller.policy import Limits, Patience, Policy, Pool
from fleetctl.controller.rules import carry_out, follow
from fleetctl.controller.tick import Ticked
from tests.machines_double import OFFER, MachinesDouble

MACHINES = 8
QUIET_TICKS = 12
"""So many without an action: it has converged."""
PATIENCE_SECONDS = 0.3
"""For calls that came to nothing: what a controller waits minutes for, a hundred of them cannot."""


@dataclass(frozen=True)
class Orders:
    """What one process is to do."""

    fleet: Fleet
    machines: Path
    killed_at: int
    """Its n-th call; 0: never."""
    is_after: bool
    """Killed after the call took effect."""


def policy(fleet: str) -> Policy:
    pool = Pool("a10", OFFER, vcpus=36, slots=1, min_vms=0, max_vms=MACHINES)
    return Policy(fleet, (pool,), Limits(vms=MACHINES), replace(Patience(), tick=0.05, idle_grace=0.0))


def run_controller(orders: Orders) -> None:
    """Until it is killed, or nothing is left to do."""
    follow.LISTING_LAG_SECONDS = follow.START_LAG_SECONDS = carry_out.REPEAT_SECONDS = PATIENCE_SECONDS
    offers.PROBE_SECONDS = PATIENCE_SECONDS  # after a mass eviction
    clients = AzureClients(storage_endpoints(orders.fleet))
    names = queue_names(orders.fleet.name)
    stop = threading.Event()
    machines = MachinesDouble(orders.machines, orders.fleet.name, orders.killed_at, is_after=orders.is_after)
    world = World(
        store=AzureBlobStore(clients),
        queues=FleetQueues(*(AzureTileQueue(clients, n) for n in (names.tiles, names.urgent, names.poison))),
        machines=machines,
        prices=lambda offers: dict.fromkeys(offers, 0.6),
        new_vm=lambda name: NewVm(name, OFFER, "image", "subnet", "", "", 64, ""),
        policy=lambda: policy(orders.fleet.name),
    )
    assemble(world, stop=stop, listeners=lambda *_: (_UntilQuiet(stop),)).run()


class _UntilQuiet:
    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._quiet = 0

    def on_tick(self, ticked: Ticked) -> None:
        self._quiet = 0 if ticked.tried else self._quiet + 1
        if self._quiet >= QUIET_TICKS:
            self._stop.set()

    def on_failed_tick(self, reason: str) -> None:
        raise AssertionError(reason)
