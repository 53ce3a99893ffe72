"""A modelled cloud with workers on its machines, in virtual time. Its own meter counts what is paid.

Every machine is a record with a next event; time advances from tick to tick and handles the events between.
All chance comes from one seed.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field

from contract.heartbeat import WorkerState
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller.rules.charge import BYTES_PER_GB, DISK_USD_PER_HOUR
from fleetctl.controller.snapshot import BILLED, Power
from fleetctl.simulation.machine import NEVER, PREFETCHED, SimVm
from fleetctl.simulation.world import TILE_BYTES, Region, World

SECONDS_PER_HOUR = 3600.0
OCCUPIES = frozenset({Power.STARTING, Power.RUNNING})


@dataclass(slots=True)
class Meter:
    """What a run came to."""

    usd: float = 0.0
    billed_hours: float = 0.0
    lost_hours: float = 0.0
    """Machine time of tiles that were begun and not finished."""
    done: int = 0
    sent_bytes: Counter[str] = field(default_factory=Counter)
    """By the region where it began."""
    starts: int = 0
    refused: int = 0
    evictions: int = 0


@dataclass
class ModelCloud:
    """Machines, workers and the queue of one world."""

    world: World
    waiting: int
    """Tiles that somebody could take."""
    seed: int
    now: float
    returns_after: float | None = None
    """Seconds until an evicted machine's tiles are free again; None: as soon as workers hand them back."""
    vms: dict[str, SimVm] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._usd_per_tile_sent = {
            region: usd * TILE_BYTES / BYTES_PER_GB for region, usd in self.world.usd_per_gb().items()
        }
        self._returns: list[tuple[float, int]] = []
        self._room: dict[str, tuple[float, int]] = {}
        self._up: Counter[str] = Counter()
        self._squeezes = [
            (self.now + self._until_squeeze(region), number)
            for number, region in enumerate(self.world.regions)
        ]
        heapq.heapify(self._squeezes)

    def advance(self, until: float) -> None:
        """Let everything happen that happens until then."""
        while self._returns and self._returns[0][0] <= until:
            self.waiting += heapq.heappop(self._returns)[1]
        while self._squeezes[0][0] <= until:
            at, number = heapq.heappop(self._squeezes)
            self._squeeze(self.world.regions[number], at)
            heapq.heappush(self._squeezes, (at + self._until_squeeze(self.world.regions[number]), number))
        for vm in list(self.vms.values()):
            while (at := vm.next_at) <= until:
                self._happen(vm, at)
            if vm.held == 0 and self.waiting and vm.state is WorkerState.IDLE and vm.worker_started:
                self._take(vm, until)
        self.now = until

    def start(self, name: str, region: Region) -> None:
        """Create or start that machine. Refused without room in its region."""
        limit = self._room.get(region.name)
        if limit is not None and self.now < limit[0] and self._up[region.name] >= limit[1]:
            self.meter.refused += 1
            raise Refused(Refusal.NO_CAPACITY, "SkuNotAvailable", f"no room in {region.name}")
        vm = self.vms.setdefault(name, SimVm(name, region, created_at=self.now))
        if vm.power is not Power.DEALLOCATED:
            raise Refused(Refusal.CONFLICT, "OperationNotAllowed", f"{name} is {vm.power.value}")
        self.meter.starts += 1
        self._up[region.name] += 1
        vm.power, vm.billed_since, vm.held = Power.STARTING, self.now, 0
        vm.changes_at = self.now + self.world.seconds.start

    def deallocate(self, name: str) -> None:
        self._stop(self.vms[name], self.now, Power.DEALLOCATING, self.world.seconds.lease)

    def delete(self, name: str) -> None:
        self._stop(self.vms[name], self.now, Power.DELETING, self.world.seconds.lease)

    def drain(self, name: str) -> None:
        """Finish the tile that is inferred, hand the others back."""
        vm = self.vms[name]
        vm.state = WorkerState.LEAVING
        if vm.held > 1:
            self.waiting += vm.held - 1
            vm.held = 1

    def held(self) -> int:
        """By workers that live."""
        return sum(vm.held for vm in self.vms.values() if vm.silent_since is None)

    @property
    def returning(self) -> int:
        """Tiles that nobody holds and nobody sees yet."""
        return sum(count for _, count in self._returns)

    def up(self) -> int:
        return self._up.total()

    def close(self) -> None:
        """Bill what is still running until now."""
        for vm in self.vms.values():
            self._bill(vm, self.now)
            self._bill_disk(vm, self.now)

    def _happen(self, vm: SimVm, at: float) -> None:
        if vm.changes_at == at:
            self._arrive(vm, at)
        elif vm.evicted_at == at:
            self._evict(vm, at)
        elif vm.boots_at == at:
            vm.boots_at, vm.worker_started, vm.silent_since = NEVER, at, None
            vm.boot += 1
            vm.state = WorkerState.IDLE
            self._take(vm, at)
        else:
            self._finish(vm, at)

    def _arrive(self, vm: SimVm, at: float) -> None:
        vm.changes_at = NEVER
        if vm.power is Power.STARTING:
            vm.power = Power.RUNNING
            vm.boots_at = at + self.world.seconds.boot
            alone = 1 - self.world.squeezes.share_of_evictions
            rate = vm.region.evictions_per_vm_hour * alone / SECONDS_PER_HOUR
            vm.evicted_at = at + self._rng.expovariate(rate)
        elif vm.power is Power.DEALLOCATING:
            vm.power = Power.DEALLOCATED
        else:
            self._bill_disk(vm, at)
            del self.vms[vm.name]

    def _finish(self, vm: SimVm, at: float) -> None:
        self.meter.done += 1
        self.meter.sent_bytes[vm.region.name] += TILE_BYTES
        self.meter.usd += self._usd_per_tile_sent.get(vm.region.name, 0.0)
        vm.held -= 1
        if vm.held:
            self._infer(vm, at)
        else:
            vm.done_at = NEVER
            if vm.state is WorkerState.WORKING:
                vm.state = WorkerState.IDLE
        if vm.state is not WorkerState.LEAVING:
            self._take(vm, at)

    def _take(self, vm: SimVm, at: float) -> None:
        """As many tiles as it prefetches; the first one of an idle worker is downloaded before it is inferred."""
        taken = min(PREFETCHED - vm.held, self.waiting)
        if not taken:
            return
        self.waiting -= taken
        if not vm.held:
            self._infer(vm, at + self.world.seconds.download + self.world.seconds.upload)
            vm.tile_began = at
        vm.held += taken
        vm.state = WorkerState.WORKING

    def _infer(self, vm: SimVm, begins: float) -> None:
        seconds = self.world.seconds
        vm.tile_began = begins
        vm.done_at = begins + seconds.infer * (1 + seconds.spread * (2 * self._rng.random() - 1))

    def _evict(self, vm: SimVm, at: float) -> None:
        self.meter.evictions += 1
        seconds = self.world.seconds
        vm.is_noticed = self._rng.random() >= self.world.squeezes.unheard_share
        last_word = 0 if vm.is_noticed else vm.held
        self._stop(vm, at, Power.DEALLOCATING, seconds.hand_back if vm.is_noticed else seconds.lease)
        vm.held = last_word  # what its last heartbeat said; nobody holds these tiles any more

    def _stop(self, vm: SimVm, at: float, power: Power, tiles_free_after: float) -> None:
        self._bill(vm, at)
        if vm.held and vm.silent_since is None:
            self.meter.lost_hours += max(0.0, at - vm.tile_began) / SECONDS_PER_HOUR
            heapq.heappush(self._returns, (at + (self.returns_after or tiles_free_after), vm.held))
        if vm.power in OCCUPIES:
            self._up[vm.region.name] -= 1
        vm.power, vm.changes_at = power, at + self.world.seconds.stop
        vm.evicted_at = vm.done_at = vm.boots_at = NEVER
        vm.silent_since, vm.held = at, 0
        if vm.state is not WorkerState.LEAVING:
            vm.state = WorkerState.WORKING

    def _bill(self, vm: SimVm, at: float) -> None:
        if vm.billed_since is not None and vm.power in BILLED:
            hours = (at - vm.billed_since) / SECONDS_PER_HOUR
            self.meter.billed_hours += hours
            self.meter.usd += hours * vm.region.usd_per_hour
        vm.billed_since = None

    def _bill_disk(self, vm: SimVm, at: float) -> None:
        self.meter.usd += (at - vm.created_at) / SECONDS_PER_HOUR * DISK_USD_PER_HOUR

    def _squeeze(self, region: Region, at: float) -> None:
        squeezes = self.world.squeezes
        here = [vm for vm in self.vms.values() if vm.region is region and vm.power in OCCUPIES]
        gone = self._rng.sample(here, round(len(here) * squeezes.share_of_machines))
        for vm in gone:
            while vm.next_at < at and vm.power in OCCUPIES:
                self._happen(vm, vm.next_at)
            if vm.power in OCCUPIES:
                self._evict(vm, at)
        seconds = squeezes.median_seconds * self._rng.lognormvariate(0.0, squeezes.spread)
        self._room[region.name] = (at + seconds, len(here) - len(gone))

    def _until_squeeze(self, region: Region) -> float:
        squeezes = self.world.squeezes
        per_hour = region.evictions_per_vm_hour * squeezes.share_of_evictions / squeezes.share_of_machines
        return self._rng.expovariate(per_hour / SECONDS_PER_HOUR)
