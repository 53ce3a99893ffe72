"""One modelled machine: a record with its next event. No thread, no sleep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from contract.heartbeat import WorkerState
from fleetctl.controller.machine import pool_of
from fleetctl.controller.snapshot import Power, VmSeen, WorkerSeen
from fleetctl.simulation.world import FLEET, JOB, Region, offer_of

NEVER = math.inf
HEARTBEAT_AGE_SECONDS = 5.0
PREFETCHED = 2
"""Tiles that a worker holds: one that it infers, one that it downloads."""


@dataclass(slots=True)
class SimVm:
    """What the cloud and its worker know of it."""

    name: str
    region: Region
    created_at: float
    power: Power = Power.DEALLOCATED
    changes_at: float = NEVER
    """When it reaches the state that it is on its way to."""
    evicted_at: float = NEVER
    done_at: float = NEVER
    """When its next tile is done."""
    boots_at: float = NEVER
    """When its worker begins."""
    billed_since: float | None = None
    worker_started: float = 0.0
    boot: int = 0
    state: WorkerState = WorkerState.IDLE
    held: int = 0
    tile_began: float = 0.0
    silent_since: float | None = None
    is_noticed: bool = False
    """Its last eviction was announced, and its supervisor said so."""
    _listed: VmSeen | None = field(default=None, repr=False)
    _worker: WorkerSeen | None = field(default=None, repr=False)

    @property
    def next_at(self) -> float:
        return min(self.changes_at, self.evicted_at, self.done_at, self.boots_at)

    @property
    def boot_id(self) -> str:
        return f"boot{self.boot}"

    def listed(self) -> VmSeen:
        """As the listing shows it; the same object until something changes."""
        if self._listed is None or self._listed.power is not self.power:
            self._listed = VmSeen(self.name, pool_of(self.name, FLEET), offer_of(self.region), self.power)
        return self._listed

    def heartbeat(self, now: float) -> WorkerSeen | None:
        """Its newest; None before the first."""
        if not self.worker_started:
            return None
        if self.silent_since is not None:
            return self._seen(HEARTBEAT_AGE_SECONDS + now - self.silent_since)
        known = self._worker
        if known is None or (known.held, known.state, known.started) != (
            self.held,
            self.state,
            self.worker_started,
        ):
            self._worker = known = self._seen(HEARTBEAT_AGE_SECONDS)
        return known

    def _seen(self, age_seconds: float) -> WorkerSeen:
        name = f"{self.name}-s0"
        jobs = (JOB,) * bool(self.held)
        return WorkerSeen(
            name, self.name, self.boot_id, self.state, self.held, age_seconds, self.worker_started, jobs=jobs
        )
