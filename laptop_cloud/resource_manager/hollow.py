"""Machines without processes: they boot, report a heartbeat like a worker, and hold tiles if told to.

So a fleet of thousands can be shown to the controller on one laptop. A hollow worker sees an operator's drain, too,
and leaves at once.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import StorageError
from contract.heartbeat import Heartbeat, WorkerState, write_heartbeat
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.records import Machine

REPORTS_AT_A_TIME = 4


@dataclass(slots=True)
class HollowWorker:
    """The only worker of a machine that runs."""

    vm: str
    boot_id: str
    reports_from: float
    """Cloud seconds: the boot is over."""
    started: str = ""
    held: int = 0
    unfit: str = ""
    """Why; empty: it is fit."""

    def heartbeat(self, *, is_draining: bool) -> Heartbeat:
        state = WorkerState.WORKING if self.held else WorkerState.IDLE
        if self.unfit:
            state = WorkerState.UNFIT
        elif is_draining:
            state = WorkerState.LEAVING
        is_working = state is WorkerState.WORKING
        return Heartbeat(
            worker=self.vm,
            vm=self.vm,
            boot_id=self.boot_id,
            started=self.started,
            state=state,
            tiles=(),
            held_count=self.held if is_working else 0,
            cpu_percent=0.0,
            memory_bytes=0,
            gpu_percent=None,
            prefetched_bytes=0,
            reason=self.unfit or ("drained" if is_draining else ""),
        )


class HollowMachines:
    """A backend. Safe to use from several threads."""

    def __init__(
        self,
        clock: CloudClock,
        *,
        boot_seconds: float = 60.0,
        after: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        """`boot_seconds`: of the cloud, until the first report. `after`: calls something after so many of its
        clients' seconds; a timer unless said otherwise."""
        self._clock = clock
        self._boot_seconds = boot_seconds
        self._after = after or _timer
        self._workers: dict[str, HollowWorker] = {}
        self._lock = threading.Lock()

    def start(self, machine: Machine) -> None:
        with self._lock:
            reports_from = self._clock.now() + self._boot_seconds
            self._workers[machine.name] = HollowWorker(machine.name, str(uuid.uuid4()), reports_from)

    def shut_down(self, machine: Machine) -> None:
        self.cut(machine)

    def cut(self, machine: Machine) -> None:
        self.fall_silent(machine.name)

    def remove(self, machine: Machine) -> None:
        self.cut(machine)

    def warn(self, _machine: Machine, notice_seconds: float, take: Callable[[], None]) -> None:
        """Nobody is there to be ready before the time."""
        self._after(self._clock.client_seconds(notice_seconds) if notice_seconds else 0, take)

    def fall_silent(self, vm: str) -> None:
        """Report no more until it is started again; harmless when it does not run."""
        with self._lock:
            self._workers.pop(vm, None)

    def hold(self, vm: str, tiles: int) -> None:
        """Report so many tiles from now on; harmless when it does not run."""
        with self._lock:
            if worker := self._workers.get(vm):
                worker.held = tiles

    def sicken(self, vm: str, why: str) -> None:
        """Report itself unfit until it is started again."""
        with self._lock:
            if worker := self._workers.get(vm):
                worker.unfit = why

    def report(self, store: BlobStore) -> int:
        """A heartbeat of every one that has booted; how many."""
        now = self._clock.now()
        with self._lock:
            booted = [worker for worker in self._workers.values() if worker.reports_from <= now]
            for worker in booted:
                # Its process began when it could first speak, by the clock of those who read it.
                worker.started = worker.started or datetime.now(UTC).isoformat(timespec="seconds")
        drained = _drained(store) if booted else frozenset()
        with ThreadPoolExecutor(REPORTS_AT_A_TIME, thread_name_prefix="hollow-report") as pool:
            list(pool.map(lambda w: write_heartbeat(store, w.heartbeat(is_draining=w.vm in drained)), booted))
        return len(booted)


def keep_reporting(
    machines: HollowMachines, store: BlobStore, every_seconds: float, stop: threading.Event
) -> None:
    """Until told to stop. A storage that fails is tried again the next time."""
    while not stop.wait(every_seconds):
        try:
            machines.report(store)
        except StorageError as error:
            print(f"hollow machines could not report: {error}", flush=True)


def _drained(store: BlobStore) -> frozenset[str]:
    """Machines that an operator or the controller wants to leave."""
    prefix = artifact_names.drain("x").removesuffix("x")
    return frozenset(name.removeprefix(prefix) for name in store.names(prefix))


def _timer(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
