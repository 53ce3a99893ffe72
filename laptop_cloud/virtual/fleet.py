"""A virtual fleet from its first message to its last: machines, what happens to them, and what is left."""

from __future__ import annotations

import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from consumer import lease
from contract.commit import revoke
from contract.errors import BadInput
from contract.recipe import find_recipe
from contract.tile_message import TileMessage
from laptop_cloud.virtual import recipe, threads
from laptop_cloud.virtual.kernel import Kernel
from laptop_cloud.virtual.machine import HOUR_SECONDS, VirtualMachine
from laptop_cloud.virtual.scenario import Scenario
from laptop_cloud.virtual.substitution import substituted
from laptop_cloud.virtual.trouble import DAY_SECONDS, StorageMood
from laptop_cloud.virtual.world import EPOCH, World, exponential

LOOK_SECONDS = 30.0
TILES_IN_HAND = 2
"""Of a worker whose inference takes longer than all else: one in inference, one on its way."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - artifacts of a kilobyte, written and deleted at once


@dataclass(eq=False)
class VirtualFleet:
    """The machines of one world and the tasks of its fate."""

    world: World
    machines: list[VirtualMachine]
    mood: StorageMood

    def begin(self) -> None:
        """Start every task; the kernel runs them."""
        kernel, scenario = self.world.kernel, self.world.scenario
        self.mood.begin()
        for machine in self.machines:
            kernel.spawn(kernel.host, machine.live)
        self._now_and_then(scenario.evictions.per_vm_hour, self._evict)
        self._now_and_then(scenario.machines.crashes_per_vm_hour, self._crash)
        self._now_and_then(scenario.machines.freezes_per_vm_hour, self._freeze)
        if scenario.redone_share:
            kernel.spawn(kernel.host, self._redo)
        kernel.spawn(kernel.host, self._watch)

    def _now_and_then(self, per_vm_hour: float, happen: Callable[[], None]) -> None:
        if not per_vm_hour:
            return
        kernel, world = self.world.kernel, self.world
        mean_seconds = HOUR_SECONDS / (per_vm_hour * len(self.machines))

        def fate() -> None:
            while not world.is_over:
                kernel.sleep(exponential(world.chance, mean_seconds))
                if not world.is_over:
                    happen()

        kernel.spawn(kernel.host, fate)

    def _evict(self) -> None:
        """One machine, or now and then up to half of them at once. Those that are away draw a blank."""
        world, evictions = self.world, self.world.scenario.evictions
        count = 1
        if world.chance.random() < evictions.batch_share:
            count = world.chance.randint(2, max(2, len(self.machines) // 2))
        for machine in world.chance.sample(self.machines, min(count, len(self.machines))):
            notice_seconds = world.chance.choice(evictions.notice_seconds)
            if machine.is_allocated:
                world.kernel.spawn(world.kernel.host, partial(machine.evict, notice_seconds))

    def _crash(self) -> None:
        worker = self.world.chance.choice(self.machines).worker
        if worker is not None and not worker.process.has_ended:
            self.world.happened["crash"] += 1
            self.world.kernel.end(worker.process)

    def _freeze(self) -> None:
        """For up to four leases: long enough that somebody else finishes the tile."""
        worker = self.world.chance.choice(self.machines).worker
        if worker is not None and not worker.process.has_ended:
            self.world.happened["freeze"] += 1
            lease_seconds = self.world.scenario.lease_seconds
            worker.process.frozen_until = (
                self.world.kernel.now + self.world.chance.uniform(1, 4) * lease_seconds
            )

    def _redo(self) -> None:
        """An operator who finds some results wrong while the fleet works."""
        world = self.world
        chosen = [tile for tile in world.tiles if world.chance.random() < world.scenario.redone_share]
        store, queues = world.store(), world.queues()
        for tile in chosen:
            for _ in range(200):
                world.kernel.sleep(exponential(world.chance, 120.0))
                if world.is_over:
                    return
                try:
                    generation = revoke(store, world.job.dataset, tile, 1, "an operator saw a seam")
                except BadInput:
                    continue  # not committed yet
                world.redone.add(tile.name)
                message = TileMessage(world.job.id, world.job.dataset, tile, generation)
                queues.tiles.send(message.encode())
                break

    def _watch(self) -> None:
        """End the world once nothing is queued and nobody works, or when it takes too long."""
        world = self.world
        queues, kernel = world.queues(), world.kernel
        latest = EPOCH + world.scenario.longest_days * DAY_SECONDS
        while kernel.now < latest:
            kernel.sleep(LOOK_SECONDS)
            depth = queues.tiles.depth() + queues.urgent.depth()
            if depth > TILES_IN_HAND * len(self.machines):
                self._book_what_has_work()
            if depth == 0 and not any(machine.has_work for machine in self.machines):
                break
        world.is_over, world.ended_at = True, kernel.now
        for machine in self.machines:
            if machine.worker is not None:
                kernel.end(machine.worker.process)

    def _book_what_has_work(self) -> None:
        account = self.world.account
        unbooked = sum(machine.unbooked_seconds for machine in self.machines)
        account.paid_with_work_seconds = account.paid_seconds + unbooked
        account.infer_with_work_seconds = account.infer_seconds


def run(scenario: Scenario, seed: int, *, prepare: Callable[[World], None] = lambda _world: None) -> World:
    """A whole run, from asking to the end; what it left is in the world. The same seed runs the same way.

    `prepare` may change the world before anything runs.
    """
    kernel = Kernel(EPOCH)
    chance = Random(seed)
    world = World(scenario, seed, kernel, chance)
    folder_home = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="virtual-fleet-", dir=folder_home) as folder,
        substituted(_replacements(world), log=_Notes(world.faults)),
        _seldom_looking(),
    ):
        world.ask()
        prepare(world)
        mood = StorageMood(world)
        machines = [
            VirtualMachine(world, f"vm-{n}", mood, Path(folder) / f"vm-{n}") for n in range(scenario.vms)
        ]
        VirtualFleet(world, machines, mood).begin()
        kernel.run()
    world.settle_account()
    return world


@contextmanager
def _seldom_looking() -> Iterator[None]:
    """A lease thread that nothing wakes looks once a second, to be robust. In virtual time it is always woken,
    and looking would be most of what a run does."""
    usual = lease.LONGEST_PAUSE_SECONDS
    lease.LONGEST_PAUSE_SECONDS = LOOK_SECONDS
    try:
        yield
    finally:
        lease.LONGEST_PAUSE_SECONDS = usual


class _Notes:
    """A logger that keeps nothing but the errors that a program of ours did not expect."""

    def __init__(self, faults: list[str]) -> None:
        self._faults = faults

    def exception(self, event: str, **facts: Any) -> None:
        self._faults.append(f"{event}: {facts}\n{traceback.format_exc()}")

    def info(self, _event: str, **_facts: Any) -> None: ...

    warning = error = info


def _replacements(world: World) -> dict[int, Any]:
    """What the worker's modules see instead, by the id of what they have."""
    kernel = world.kernel
    virtual_time, virtual_threading = threads.VirtualTime(kernel), threads.VirtualThreading(kernel)
    stands_for = [
        (time, virtual_time),
        (time.monotonic, virtual_time.monotonic),
        (time.time, virtual_time.time),
        (threading, virtual_threading),
        (threading.Lock, virtual_threading.Lock),
        (threading.Event, virtual_threading.Event),
        (threading.Condition, virtual_threading.Condition),
        (ThreadPoolExecutor, partial(threads.VirtualPool, kernel)),
        (datetime, threads.virtual_datetime(virtual_time)),
        (uuid, threads.VirtualUuid(world.chance)),
        (find_recipe, lambda _name: recipe.declaration(world)),
    ]
    return {id(real): virtual for real, virtual in stands_for}
