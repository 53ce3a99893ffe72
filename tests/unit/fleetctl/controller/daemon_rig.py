"""A controller of real parts over simulated storage and durable machines, ticked by hand."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.fleet_queues import FleetQueues
from contract.simulated_faults import no_fault
from contract.tile_queues.simulated import SimulatedQueues
from fleetctl.cloud.machines import NewVm
from fleetctl.controller.assemble import Assembled, World, assemble
from fleetctl.controller.policy import Patience
from tests.machines_double import OFFER, MachinesDouble
from tests.unit.fleetctl.controller.toy_cloud import policy

QUEUES = ("uk-tiles", "uk-urgent", "uk-poison")


def new_vm(name: str) -> NewVm:
    return NewVm(name, OFFER, "image", "subnet", "", "", 64, "")


class DaemonRig:
    """Storage, machines and the alerts that were told."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_700_000_000.0
        self.container = SimulatedContainer(lambda: self.now)
        self.accounts = SimulatedQueues(lambda: self.now)
        self.machines = MachinesDouble(folder / "machines.db", "uk")
        self.policy = replace(policy(most=5), patience=Patience(tick=0.001))
        self.told: list[dict] = []
        self.queues_of().ensure()

    def store(self, fault=no_fault) -> SimulatedBlobStore:
        return SimulatedBlobStore(self.container, fault)

    def queues_of(self, fault=no_fault) -> FleetQueues:
        return FleetQueues(*(self.accounts.queue(name, fault) for name in QUEUES))

    def ask(self, tiles: int) -> None:
        for _ in range(tiles):
            self.queues_of().tiles.send("{}")

    def controller(self, *listeners, fault=no_fault, stop: threading.Event | None = None) -> Assembled:
        world = World(
            store=self.store(fault),
            queues=self.queues_of(fault),
            machines=self.machines,
            prices=lambda offers: dict.fromkeys(offers, 0.6),
            new_vm=new_vm,
            policy=lambda: self.policy,
        )
        return assemble(world, tells=(self.told.append,), stop=stop, listeners=lambda *_: listeners)
