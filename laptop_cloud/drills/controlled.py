"""A stage whose machines a controller makes, by the laptop's Resource Manager, and the check of what it leaves."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from azure.storage.blob import BlobLeaseClient

from contract import artifact_names
from contract.azure_clients import AzureClients, storage_endpoints
from contract.errors import TilefleetError
from fleetctl.controller.memory import Intent
from fleetctl.controller.memory_store import MemoryStore
from laptop_cloud import managed, processes
from laptop_cloud.cloud import LaptopCloud
from laptop_cloud.control.managed_orders import ManagedOrders
from laptop_cloud.drills import hurried_watch
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.laws import Expected
from laptop_cloud.drills.play import Scene, finish
from laptop_cloud.drills.stage import Asked, Stage
from laptop_cloud.machines.fleet import QUICK
from laptop_cloud.machines.vm import LaptopVm
from laptop_cloud.managed import Managed, ManagedPlan
from laptop_cloud.processes import Child
from laptop_cloud.resource_manager.records import Machine, PowerState
from laptop_cloud.watching import account, controller, in_words

SPEED = 60.0
"""A minute of the cloud is a second here."""
RUNNING, DEALLOCATED = PowerState.RUNNING, PowerState.DEALLOCATED


@dataclass
class Controlled:
    """A stage without machines of its own, and the cloud that makes them. Used by the drill's own thread."""

    stage: Stage
    made: Managed
    orders: ManagedOrders
    most_machines: int
    watches: contextlib.ExitStack
    """The controllers that run."""
    watch: Child | None = None
    """The newest of them."""
    _started: int = field(default=0)

    def start_watch(self) -> None:
        """One more controller; it leads as soon as nobody does."""
        self._started += 1
        running = self.stage.running
        log = running.logs / f"watch-{self._started}.log"
        command = hurried_watch.command(SPEED)
        self.watch = self.watches.enter_context(controller(running.environ, log, command))

    def kill_watch(self) -> None:
        """SIGKILL; its lease goes on, as a dead controller's does."""
        assert self.watch is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.watch.pid, signal.SIGKILL)
        processes.stop(self.watch)

    def let_lease_run_out(self) -> None:
        """As a minute would."""
        container = AzureClients(storage_endpoints(self.stage.running.direct)).container()
        blob = container.get_blob_client(artifact_names.CONTROLLER_LEADER)
        if blob.exists() and blob.get_blob_properties().lease.state == "leased":
            BlobLeaseClient(blob).break_lease(0)

    def machines(self) -> list[Machine]:
        """All that the cloud knows, as they are now."""
        with self.made.manager.compute.at_this_moment() as world:
            return list(world.machines.values())

    def count(self, power: PowerState) -> int:
        """Machines in that state."""
        return sum(machine.power is power for machine in self.machines())

    def refused_calls(self) -> int:
        """How often the cloud said no to a wish for a change."""
        return self.made.manager.refused.copy().total()  # a copy: its server counts on

    def await_running(self, count: int) -> float:
        """Until so many machines run; how many seconds that took."""
        return self.stage.wait_for(lambda: self.count(RUNNING) >= count, f"{count} machines to run")

    def worker(self, asked: Asked) -> LaptopVm:
        """One of the machines that are processes, drawn by lot among those that infer a tile, when all run."""
        self.await_running(self.most_machines)
        self.stage.vms[:] = sorted(self.stage.running.room.vms.values(), key=lambda vm: vm.name)
        return self.stage.victim(asked)

    def evict(self, name: str, notice_seconds: float | None) -> bool:
        """Whether it could be: a machine that is on its way elsewhere cannot."""
        try:
            self.orders.evict(name, notice_seconds)
        except TilefleetError:
            return False
        return True

    def intents(self) -> Mapping[str, Intent]:
        """What the controller's record says that it means each machine to do."""
        return {name: vm.intent for name, vm in MemoryStore(self.stage.store).load().vms.items()}

    def await_converged(self, kept: Mapping[str, Intent] | None = None) -> None:
        """Until nothing is billed, nothing moves, nothing is left behind and nothing is still to be done; `kept`:
        machines that stay deallocated, and what for."""
        wanted = dict(kept or {})
        self.stage.wait_for(
            lambda: self._left() == sorted(wanted), f"{sorted(wanted)} to be all that is left"
        )
        self.stage.wait_for(
            lambda: self._is_settled(wanted), f"the controller's record to say {wanted} and nothing in doubt"
        )

    def _left(self) -> list[str]:
        """Names of all machines; one that is billed shows its state."""
        return sorted(
            machine.name if machine.power is DEALLOCATED else f"{machine.name} {machine.power}"
            for machine in self.machines()
        )

    def _is_settled(self, wanted: Mapping[str, Intent]) -> bool:
        memory = MemoryStore(self.stage.store).load()
        return {name: vm.intent for name, vm in memory.vms.items()} == wanted and not memory.in_doubt

    def check_nothing_left_behind(self) -> None:
        """DrillFailed names what is billed, or belongs to nobody."""
        with self.made.manager.compute.at_this_moment() as world:
            billed = [name for name, machine in world.machines.items() if machine.is_billed]
            leaked = [
                name for name, one in world.attached.items() if one.machine.lower() not in world.machines
            ]
        if billed:
            raise DrillFailed("no machine is billed when all is done", f"{billed} are")
        if leaked:
            raise DrillFailed("a machine that goes takes its disk and interface along", f"{leaked} are left")


@contextlib.contextmanager
def playing_controlled(
    scene: Scene,
    most_machines: int,
    *,
    real_machines: int = 3,
    worker_environ: Mapping[str, str] | None = None,
    has_gpu: bool = False,
) -> Iterator[Controlled]:
    """A stage whose controller may make so many machines, the first few of them real; none runs yet."""
    plan = ManagedPlan(
        most_machines,
        SPEED,
        real_machines=real_machines,
        worker_environ={**QUICK, **(worker_environ or {})},
        has_gpu=has_gpu,
    )
    with scene.fleet(0) as stage:
        running = stage.running
        laptop = LaptopCloud(running.folder, running.fleet, running.environ, relay=running.relay)
        with (
            managed.machines(laptop, running.room, plan) as made,
            contextlib.ExitStack() as watches,
        ):
            yield Controlled(stage, made, ManagedOrders(made), most_machines, watches)


def finish_controlled(
    played: Controlled,
    asked: Asked,
    expected: Expected | None = None,
    *,
    converged: Callable[[], None] | None = None,
) -> Cost:
    """Wait until the job is done and the controller has let everything go, and check both. `converged`: another end
    than that no machine is left."""
    stage = played.stage
    stage.await_end(asked)
    stage.await_empty_queues()
    (converged or played.await_converged)()
    played.watches.close()
    played.check_nothing_left_behind()
    return finish(stage, asked, expected, figures=lambda: in_words(account(stage.store)).replace("\n", "; "))
