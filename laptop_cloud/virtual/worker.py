"""One worker process in virtual time: the real parts, driven by as many tasks as the real one has threads.

What stands in for `consumer/worker.py` and `consumer/pipeline.py` only waits and passes on: it receives while
there is room, runs each work through the real stages, and leaves when told to. No decision is made here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer.departure import Departure
from consumer.parts import Parts, build_parts
from consumer.patience import Patience
from consumer.settings import Settings
from consumer.work import Work
from contract.errors import StorageError, StorageUnavailable
from laptop_cloud.virtual.charges import note_charges
from laptop_cloud.virtual.kernel import Kernel, Process
from laptop_cloud.virtual.threads import VirtualEvent, VirtualLock
from laptop_cloud.virtual.trouble import ProcessFaults, StorageMood
from laptop_cloud.virtual.world import FLEET, World

FIRST_IDLE_SECONDS = 0.2
IDLE_POLL_SECONDS = 15.0
STORAGE_PAUSE_SECONDS = 2.0
GRACE_SECONDS = 25.0
JOIN_SECONDS = 5.0
LOOK_SECONDS = 30.0
"""How late a worker that has no room sees that one of its own stages hangs."""


@dataclass(frozen=True, slots=True)
class VirtualPatience(Patience):
    """The same waiting without its library, which knows no virtual time."""

    kernel: Kernel = field(kw_only=True)

    def call(self, step: Callable[[], Any], work: Work) -> Any:
        give_up_at = self.kernel.now + self.limit_seconds
        pause_seconds = self.first_pause_seconds
        while True:
            try:
                return step()
            except StorageUnavailable:
                if self.kernel.now >= give_up_at or work.stop.wait(pause_seconds):
                    raise
                pause_seconds = min(2 * pause_seconds, self.longest_pause_seconds)


@dataclass(eq=False)
class VirtualWorker:
    """From the start of the process to its end."""

    world: World
    process: Process
    mood: StorageMood
    folder: Path
    ended: VirtualEvent = field(init=False)
    parts: Parts = field(init=False)
    _wake: VirtualEvent = field(init=False)
    _gpu: VirtualLock = field(init=False)
    _in_hand: int = 0
    _parked: deque[Work] = field(default_factory=deque)
    _departure: Departure | None = None
    _none_left: VirtualEvent = field(init=False)

    def __post_init__(self) -> None:
        kernel = self.world.kernel
        self.ended, self._wake, self._none_left = (VirtualEvent(kernel) for _ in range(3))
        self._gpu = VirtualLock(kernel)
        self.process.on_end = self.ended.set
        fault = ProcessFaults(self.process, self.world, self.mood)
        settings = Settings.from_env(
            {},
            worker=self.process.name,
            vm=self.process.machine.vm,
            boot_id=self.process.machine.boot_id,
            lease_seconds=self.world.scenario.lease_seconds,
            memory_bytes=10**9,
            threads=1,
            cache_folder=self.folder / "cache",
            scratch_folder=self.folder / "scratch",
        )
        self.parts = build_parts(
            settings,
            FLEET,
            self.world.store(fault),
            self.world.queues(fault),
            worker=self.process.name,
            patience=VirtualPatience(kernel=kernel),
        )

    @property
    def is_unfit(self) -> bool:
        return bool(self.parts.state.unfit)

    @property
    def has_work(self) -> bool:
        return self._in_hand > 0

    def start(self) -> None:
        kernel = self.world.kernel
        stop: Any = VirtualEvent(kernel)
        kernel.spawn(self.process, lambda: self.parts.keeper.run(stop))
        kernel.spawn(self.process, lambda: self.parts.cancelled.run(stop))
        kernel.spawn(self.process, self._live)

    def notice(self, reason: str) -> None:
        """The machine will be taken away."""
        deadline = self.world.kernel.now + GRACE_SECONDS
        self.parts.state.is_evicted.set()
        self._departure = Departure(reason, deadline, is_eviction=True)
        self._wake.set()

    def _live(self) -> None:
        self._receive_until_departure()
        departure = self._departure
        if departure is None:
            raise AssertionError("a worker leaves for a reason")
        if self._in_hand == 0:
            self._none_left.set()
        none_left: Any = self._none_left
        self.parts.leaving.leave(departure, none_left)
        none_left.wait(JOIN_SECONDS)  # what settles at this moment
        self.world.kernel.end(self.process)

    def _receive_until_departure(self) -> None:
        idle_seconds = FIRST_IDLE_SECONDS
        while self._departure is None:
            self._wake.clear()
            self._run_parked()
            room = self._room()
            if room <= 0:
                self._wake.wait(LOOK_SECONDS)
            elif self._receive_some(room):
                idle_seconds = FIRST_IDLE_SECONDS
            elif not self.parts.receive.is_clearing:
                self._wake.wait(idle_seconds)
                idle_seconds = min(idle_seconds * 2, IDLE_POLL_SECONDS)
            self._look_for_trouble()

    def _receive_some(self, room: int) -> bool:
        try:
            works = self.parts.receive.receive(room)
        except StorageError:
            self._wake.wait(STORAGE_PAUSE_SECONDS)
            return False
        for work in works:
            self.parts.state.on_received(work)
            note_charges(self.world, work.message)
            self._in_hand += 1
            if work.is_solo:
                self._parked.append(work)
            else:
                self._submit(work)
        return bool(works)

    def _room(self) -> int:
        if any(work.is_solo for work in self.parts.state.in_hand()):
            return 0
        return self.parts.state.wanted_tiles() - self._in_hand

    def _run_parked(self) -> None:
        """A suspect runs alone."""
        if self._parked and self._in_hand == len(self._parked):
            self._submit(self._parked.popleft())

    def _submit(self, work: Work) -> None:
        task = self.world.kernel.spawn(self.process, lambda: self._run(work))
        task.label = work.attempt

    def _run(self, work: Work) -> None:
        steps, world = self.parts.steps, self.world
        world.note(work.tile_name, f"attempt {work.attempt} begins{', alone' * work.is_solo}: {work.message}")
        try:
            self._try(steps.fetch, work)
            with self._gpu:
                self._try(steps.infer, work)
            self._try(steps.upload, work)
            steps.settle(work)
        finally:
            self._in_hand -= 1
            if work.error is not None or self.process.has_ended:
                world.cut_off.add(work.attempt)
            world.note(work.tile_name, f"attempt {work.attempt} ends: {self._end_of(work)}")
            if self._in_hand == 0 and self._departure is not None:
                self._none_left.set()
            self._wake.set()

    def _end_of(self, work: Work) -> str:
        return "its worker died" if self.process.has_ended else repr(work.error or "settled")

    def _try(self, step: Callable[[Work], None], work: Work) -> None:
        if work.error is None:
            try:
                step(work)
            except Exception as error:  # noqa: BLE001 - it travels in the work, as in the pipeline
                work.error = error

    def _look_for_trouble(self) -> None:
        """Leave when the parts say that this worker is unfit or stuck."""
        state = self.parts.state
        if self._departure is None and (state.unfit or state.stuck):
            deadline = self.world.kernel.now + GRACE_SECONDS
            self._departure = Departure(state.unfit or state.stuck, deadline, is_eviction=False)
