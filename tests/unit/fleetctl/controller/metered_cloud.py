"""A toy cloud with a meter of its own: what the machines really cost, second by second, between the ticks as well."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from contract.job import JobState
from fleetctl.controller.snapshot import BILLED, JobSeen, Power, Sent, Snapshot, WorkerSeen
from tests.unit.fleetctl.controller.toy_cloud import OFFER, ToyCloud, Vm

DISK_USD_PER_SECOND = 4.80 / 730 / 3600
TICK = 15.0
HEARTBEAT = 5.0
TILE_BYTES = 110_000_000


@dataclass
class MeteredCloud(ToyCloud):
    """Tiles take their time, machines are evicted at any second, and every second has its price."""

    seed: int = 1
    tile_seconds: float = 270.0
    evictions_per_vm_hour: float = 0.0
    jobs: tuple[JobSeen, ...] = (JobSeen("uk-2024-00000000", JobState.RUNNING, 10_000, 0, 0, None),)
    done: int = 0
    usd_per_gb: float = 0.0
    """Of what its machines send to a storage in another region."""
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes by job."""
    traffic_usd: float = 0.0
    compute_usd: float = 0.0
    disk_usd: float = 0.0
    lost_usd: float = 0.0
    """Of tiles that evictions took."""
    evicted: int = 0
    """Machines, those that idled or booted too."""
    began: dict[str, float] = field(default_factory=dict)
    """When each machine's tile began; a dead worker's heartbeat goes on telling."""

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def work(self, ticks: int) -> None:
        for _ in range(ticks):
            self._pass_time()
            self.tick(TICK)
            self._finish_tiles()

    def _pass_time(self) -> None:
        """The seconds up to the next tick: paid for, and in them machines vanish."""
        for name, vm in self.vms.items():
            billed = TICK if vm.power in BILLED else 0.0
            if vm.power is Power.RUNNING and self.random.random() < self.evictions_per_vm_hour * TICK / 3600:
                billed = self.random.uniform(0, TICK)
                self._lose(name, vm, self.now + billed)
            self.compute_usd += billed * self.usd_per_hour / 3600
            if vm.power is not Power.DELETING:
                self.disk_usd += TICK * DISK_USD_PER_SECOND

    def _lose(self, name: str, vm: Vm, at: float) -> None:
        self.evicted += 1
        if vm.held:
            self.lost_usd += (at - self.began[name]) * self.usd_per_hour / 3600
        self.evict([name])
        vm.silent_since = at - self.random.uniform(0, HEARTBEAT)

    def _work(self) -> None:
        holding = {name for name, vm in self.vms.items() if vm.held}
        super()._work()
        self.began |= {name: self.now for name, vm in self.vms.items() if vm.held and name not in holding}

    def _finish_tiles(self) -> None:
        for name, vm in self.vms.items():
            if vm.power is Power.RUNNING and vm.held and self.now - self.began[name] >= self.tile_seconds:
                vm.held = 0
                self.done += 1
                self.sent[self._job_of(name).id] += TILE_BYTES
                self.traffic_usd += TILE_BYTES / 1e9 * self.usd_per_gb

    def _worker(self, name: str, vm: Vm) -> WorkerSeen:
        plain = super()._worker(name, vm)
        if not vm.held:
            return plain
        began = self.began[name]
        return replace(plain, oldest_stage_seconds=self.now - began, jobs=(self._job_of(name).id,))

    def _job_of(self, name: str) -> JobSeen:
        return self.jobs[sum(name.encode()) % len(self.jobs)]

    def snapshot(self) -> Snapshot:
        jobs = tuple(replace(job, committed=self.done // len(self.jobs)) for job in self.jobs)
        return replace(
            super().snapshot(),
            jobs=jobs,
            tile_seconds=self.tile_seconds,
            usd_per_gb={OFFER.region: self.usd_per_gb} if self.usd_per_gb else {},
            sent=tuple(Sent("a10", OFFER.region, job, length) for job, length in self.sent.items()),
        )
