"""What the operator wants of a fleet: pools, limits, patience. Read from the fleet file, never changed by a tick."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Priority(StrEnum):
    """How a machine is bought."""

    SPOT = "spot"
    REGULAR = "regular"


@dataclass(frozen=True, slots=True)
class Offer:
    """What the cloud may have or not have: capacity, price and quota belong to this, not to a machine."""

    region: str
    size: str
    priority: Priority

    def __str__(self) -> str:
        return f"{self.priority.value} {self.size} in {self.region}"


@dataclass(frozen=True, slots=True)
class Route:
    """Where bytes leave one region for another: that is paid for by where they begin."""

    origin: str
    destination: str

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"


@dataclass(frozen=True, slots=True)
class Pool:
    """Machines that are alike. Machine N of pool P in fleet F is named `F-P-000N`."""

    name: str
    offer: Offer
    vcpus: int
    """Of one machine; what it takes of the quota, also while it is deallocated."""
    slots: int
    """Workers of one machine."""
    min_vms: int
    max_vms: int
    disk_gb: int = 64
    """Of the system disk, paid for also while the machine is deallocated."""
    tiles_per_slot_hour: float | None = None
    """Expected, until it is measured; for choosing between pools."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, something may look wrong before it is acted upon."""

    tick: float = 15.0
    idle_grace: float = 300.0
    """A machine without a tile and without prospect of one is let go after this."""
    boot_limit: float = 900.0
    """From start to the first heartbeat; measured boots take four to five minutes."""
    silent_limit: float = 180.0
    """Without a heartbeat, on a machine that the cloud calls running."""
    stage_limit: float = 7200.0
    """A tile in one stage for so long, with heartbeats: the worker should have ended itself."""
    stopped_limit: float = 120.0
    """Stopped but not deallocated: billed for nothing."""
    outage_window: float = 600.0
    """Attempts of this time tell whether the imagery's source fails."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What must not be exceeded."""

    vms: int
    """Of the whole fleet."""
    vcpus_by_region: dict[str, int] = field(default_factory=dict)
    """Spot vCPUs per region that this fleet may take; the subscription's quota holds besides."""
    rehosts: int = 2
    """Of one machine within a day; then it is quarantined."""
    refused_starts: int = 6
    """In a row; then the machine is deleted, since its quota serves better elsewhere."""
    usd_per_day: float | None = None
    """None only where `--budget none` was typed."""
    usd: float | None = None
    """Over the fleet's life."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that `decide` is told by people."""

    fleet: str
    pools: tuple[Pool, ...]
    limits: Limits
    patience: Patience = Patience()
    stop_after: float | None = None
    """Epoch seconds: from then on the fleet drains and goes."""
    home: str = ""
    """The storage's region: what machines elsewhere send there is paid for. Empty: nothing is."""

    def pool(self, name: str) -> Pool | None:
        """The pool of that name; None when the fleet file no longer has it."""
        return next((pool for pool in self.pools if pool.name == name), None)


def vm_name(fleet: str, pool: str, number: int) -> str:
    """Always the same for the same slot of a pool, so that creating it twice is one machine."""
    return f"{fleet}-{pool}-{number:04d}"
