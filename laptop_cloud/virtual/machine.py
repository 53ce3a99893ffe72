"""One spot machine in virtual time: boots, keeps a worker running, is taken away, comes back as another boot.

With it the little of a supervisor and a controller that a machine's life needs: a dead worker is started again,
an eviction is put on record, an unfit machine is moved to another host.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from contract.eviction import record_eviction
from laptop_cloud.virtual.kernel import Machine, Process
from laptop_cloud.virtual.threads import VirtualEvent
from laptop_cloud.virtual.trouble import StorageMood
from laptop_cloud.virtual.worker import VirtualWorker
from laptop_cloud.virtual.world import World, exponential

SUPERVISOR_PAUSE_SECONDS = 5.0
CONTROLLER_TICK_SECONDS = 15.0
REHOST_SECONDS = 240.0
HOUR_SECONDS = 3600.0
CLOCK_JUMP_SECONDS = 7200.0


@dataclass(eq=False)
class VirtualMachine:
    """A named machine that the fleet keeps."""

    world: World
    name: str
    mood: StorageMood
    folder: Path
    worker: VirtualWorker | None = None
    is_allocated: bool = False
    _boots: int = 0
    _workers: int = 0
    _is_leaving: bool = False
    """A notice came: no worker is started again in this boot."""
    _paid_since: float = 0.0
    _machine: Machine = field(default_factory=Machine)
    _taken_away: VirtualEvent = field(init=False)

    def __post_init__(self) -> None:
        self._taken_away = VirtualEvent(self.world.kernel)

    @property
    def has_work(self) -> bool:
        return self.worker is not None and not self.worker.process.has_ended and self.worker.has_work

    @property
    def unbooked_seconds(self) -> float:
        """Paid since the machine was allocated, and not in the account yet."""
        return self.world.kernel.now - self._paid_since if self.is_allocated else 0.0

    def live(self) -> None:
        """The machine's task: boot after boot until the world is over."""
        while not self.world.is_over:
            self._allocate()
            self._run_workers()
            self._deallocate()
            if not self.world.is_over:
                mean = self.world.scenario.evictions.restart_seconds
                self.world.kernel.sleep(CONTROLLER_TICK_SECONDS + exponential(self.world.chance, mean))

    def evict(self, notice_seconds: float) -> None:
        """The cloud takes the machine; a task of the world calls it."""
        world, boot = self.world, self._boots
        world.happened["eviction with notice" if notice_seconds else "eviction without notice"] += 1
        if notice_seconds:
            self._is_leaving = True
            if self.worker is not None and not self.worker.process.has_ended:
                self.worker.notice("the virtual cloud preempts the machine")
            world.kernel.sleep(notice_seconds)
        if boot != self._boots or not self.is_allocated:
            return  # gone for another reason meanwhile
        self._stop_worker()
        self.is_allocated = False
        self._taken_away.set()
        world.kernel.sleep(world.chance.uniform(0, CONTROLLER_TICK_SECONDS))
        record_eviction(
            world.store(), self.name, f"boot-{boot}", seen_by="controller", reason="found deallocated"
        )

    def _allocate(self) -> None:
        world = self.world
        self._boots += 1
        self._taken_away.clear()
        self._is_leaving = False
        self.is_allocated, self._paid_since = True, world.kernel.now
        self._machine = self._draw_machine()
        self._taken_away.wait(world.scenario.boot_seconds)
        world.account.boot_seconds += world.kernel.now - self._paid_since

    def _draw_machine(self) -> Machine:
        chance, trouble = self.world.chance, self.world.scenario.machines
        jumps = chance.random() < trouble.clock_jump_share
        return Machine(
            self.name,
            boot_id=f"boot-{self._boots}",
            clock_ahead_seconds=chance.uniform(-1, 1) * CLOCK_JUMP_SECONDS if jumps else 0.0,
            is_sick=chance.random() < trouble.sick_share,
            has_full_disk=chance.random() < trouble.full_disk_share,
        )

    def _run_workers(self) -> None:
        """As the supervisor does: a dead worker is started again, an unfit one ends the boot."""
        while self.is_allocated and not self.world.is_over:
            if self._is_leaving:
                self._taken_away.wait()
                continue
            self.worker = self._start_worker()
            self.worker.ended.wait()
            if self.worker.is_unfit:
                self.world.happened["unfit worker"] += 1
                self.world.kernel.sleep(REHOST_SECONDS)
                return
            if not self._is_leaving and not self.world.is_over:
                self._taken_away.wait(SUPERVISOR_PAUSE_SECONDS)

    def _start_worker(self) -> VirtualWorker:
        self._workers += 1
        process = Process(f"{self.name}-w{self._workers}", self._machine)
        worker = VirtualWorker(self.world, process, self.mood, self.folder)
        worker.start()
        return worker

    def _stop_worker(self) -> None:
        if self.worker is not None:
            self.world.kernel.end(self.worker.process)

    def _deallocate(self) -> None:
        self._stop_worker()
        self.is_allocated = False
        self.world.account.paid_seconds += self.world.kernel.now - self._paid_since
