"""The storage's moods and a worker's deaths, at every request: what one process's storage clients call around it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from contract.errors import StorageUnavailable
from contract.simulated_faults import Moment
from laptop_cloud.virtual.kernel import Died, Process
from laptop_cloud.virtual.world import World, exponential

WRITES = frozenset(
    {"create", "put", "replace", "upload", "set_metadata", "copy", "delete", "send", "renew", "complete"}
)
GIVE_UP_SECONDS = 6.0
"""What the adapters' own short retries take before they say that the storage is away."""
DAY_SECONDS = 86_400.0


@dataclass(eq=False)
class StorageMood:
    """When the storage is away or slow: the same for everybody."""

    world: World
    away_until: float = 0.0
    slow_until: float = 0.0

    def begin(self) -> None:
        """Start what comes and goes by itself."""
        trouble, kernel = self.world.scenario.storage, self.world.kernel
        for name, per_day, mean_seconds in (
            ("away_until", trouble.outages_per_day, 150.0),
            ("slow_until", trouble.slow_spells_per_day, 300.0),
        ):
            if per_day:
                kernel.spawn(kernel.host, partial(self._spells, name, per_day, mean_seconds))

    def latency_seconds(self) -> float:
        chance, (low, high) = self.world.chance, self.world.scenario.storage.latency_seconds
        seconds = low + (high - low) * chance.random()
        return seconds * 50 if self.world.kernel.now < self.slow_until else seconds

    def _spells(self, name: str, per_day: float, mean_seconds: float) -> None:
        world = self.world
        while not world.is_over:
            world.kernel.sleep(exponential(world.chance, DAY_SECONDS / per_day))
            seconds = exponential(world.chance, mean_seconds)
            setattr(self, name, world.kernel.now + seconds)
            world.happened[f"storage {name.removesuffix('_until')}"] += 1


class ProcessFaults:
    """The hook of one process's storage clients."""

    def __init__(self, process: Process, world: World, mood: StorageMood) -> None:
        self._process = process
        self._world = world
        self._mood = mood
        self._storage = world.scenario.storage
        self._crash_share = world.scenario.machines.crashes_per_write / 2  # before, and again after

    def __call__(self, moment: Moment, operation: str, name: str) -> None:
        if self._process.has_ended:
            raise Died
        if moment == "before":
            self._before(operation, name)
        else:
            self._after(operation, name)

    def _before(self, operation: str, name: str) -> None:
        world = self._world
        world.kernel.sleep(self._mood.latency_seconds())
        if world.kernel.now < self._mood.away_until:
            world.kernel.sleep(GIVE_UP_SECONDS)
            raise self._trouble("the virtual storage is away", operation, name)
        if world.chance.random() < self._storage.refused_share:
            raise self._trouble("refused", operation, name)
        self._may_crash(operation)

    def _after(self, operation: str, name: str) -> None:
        world = self._world
        if operation == "create" and "/commits/" in name:
            world.commits[name] += 1
        if world.watched and world.watched in name:
            world.note(world.watched, f"{operation} {name}")
        self._may_crash(operation)
        if world.chance.random() < self._storage.lost_answer_share:
            raise self._trouble("its answer was lost", operation, name)

    def _may_crash(self, operation: str) -> None:
        world = self._world
        if self._crash_share and operation in WRITES and world.chance.random() < self._crash_share:
            world.happened[f"crash at {operation}"] += 1
            world.kernel.end(self._process)
            raise Died

    def _trouble(self, what: str, operation: str, name: str) -> StorageUnavailable:
        world = self._world
        if world.kernel.current is not None:
            world.cut_off.add(world.kernel.current.label)
        if world.watched and world.watched in name:
            world.note(world.watched, f"{operation} {name}: {what}")
        return StorageUnavailable(f"{operation} {name}: {what}")
