"""The controller killed at its calls, again and again: whoever comes after it converges, does nothing twice, and
leaves nothing behind. Real processes, real storage, machines that outlive who asked for them."""

from __future__ import annotations

import multiprocessing
import random
import signal
from dataclasses import dataclass, field

import pytest
from azure.storage.blob import BlobLeaseClient

from contract import artifact_names
from contract.azure_clients import AzureClients, storage_endpoints
from contract.heartbeat import Heartbeat, WorkerState, write_heartbeat
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.snapshot import Power
from tests.fleet_rig import FleetRig, make_rig
from tests.integration.killed_controller import MACHINES, Orders, run_controller
from tests.machines_double import MachinesDouble

KILLS = 30
SEED = 20261122
MOST_RUNS_PER_PHASE = 60
RUN_SECONDS = 60


@pytest.fixture
def rig(tmp_path, azurite):
    return make_rig(tmp_path, azurite.queue_url, azurite.blob_url)


@dataclass
class Deaths:
    """Runs controllers until one ends by itself, and counts those that were killed."""

    rig: FleetRig
    machines: MachinesDouble
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    killed: int = 0

    def __post_init__(self):
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(["tests.integration.killed_controller"])
        self.lease = AzureClients(storage_endpoints(self.rig.fleet)).container()

    def until(self, goal) -> None:
        """Until a controller finds nothing left to do, and the goal is reached."""
        for _ in range(MOST_RUNS_PER_PHASE):
            self.tell_heartbeats()
            if self.run() == 0 and goal(self.machines.powers()):
                return
        raise AssertionError(
            f"not converged after {MOST_RUNS_PER_PHASE} controllers: {self.machines.powers()}"
        )

    def run(self) -> int:
        """One controller, killed at one of its first calls if it comes that far."""
        killed_at = self.chance.choice((1, 1, 2, 3)) if self.killed < KILLS else 0
        is_after = self.chance.random() < 0.5
        orders = Orders(self.rig.fleet, self.rig.folder / "machines.db", killed_at, is_after)
        process = self.processes.Process(target=run_controller, args=(orders,))
        process.start()
        process.join(RUN_SECONDS)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        self.killed += process.exitcode != 0
        self.let_lease_run_out()
        return process.exitcode

    def let_lease_run_out(self) -> None:
        """As a minute would."""
        blob = self.lease.get_blob_client(artifact_names.CONTROLLER_LEADER)
        if blob.get_blob_properties().lease.state == "leased":
            BlobLeaseClient(blob).break_lease(0)

    def tell_heartbeats(self) -> None:
        """Workers of running machines: idle, and leaving once they are asked to drain."""
        draining = set(self.rig.store.names("drains/"))
        for name, power in self.machines.powers().items():
            if power in (Power.RUNNING, Power.STARTING, Power.CREATING):
                state = WorkerState.LEAVING if artifact_names.drain(name) in draining else WorkerState.IDLE
                started = self.rig.store.now().isoformat()
                beat = Heartbeat(name, name, "boot1", started, state, (), 0, 0.0, 0, None, 0)
                write_heartbeat(self.rig.store, beat)


@pytest.mark.slow
def test_a_controller_killed_at_its_calls_is_continued_by_the_next_one(rig):
    print(f"seed {SEED}")
    machines = MachinesDouble(rig.folder / "machines.db", rig.fleet.name)
    deaths = Deaths(rig, machines)
    rounds = 0
    while deaths.killed < KILLS:
        rounds += 1
        for _ in range(MACHINES):
            rig.queues.tiles.send("{}")
        deaths.until(lambda powers: len(powers) == MACHINES)
        machines.evict()
        deaths.until(lambda powers: set(powers.values()) == {Power.RUNNING})
        assert machines.calls("create") == rounds * MACHINES
        while held := rig.queues.receive(32, 60):
            for message in held:
                rig.queues.complete(message)
        deaths.until(lambda powers: not powers)
        assert machines.disks() == set()
        assert machines.calls("delete") == rounds * MACHINES
    print(f"{deaths.killed} kills in {rounds} rounds")
    assert MemoryStore(rig.store).load().vms == {}
