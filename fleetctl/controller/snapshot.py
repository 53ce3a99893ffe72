"""What one tick sees: the cloud's machines, the workers' heartbeats, the queues, the jobs, the money.

A part that could not be seen is None and named in `missing`; `decide` then does only what is safe without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contract.heartbeat import WorkerState
from contract.job import JobState
from fleetctl.controller.policy import Offer
from fleetctl.controller.wish import WishSeen


class Power(StrEnum):
    """A machine's power state, as the cloud names it, and two that it does not name."""

    CREATING = "creating"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """Allocated: still billed."""
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"
    DELETING = "deleting"
    UNKNOWN = "unknown"
    """The listing had none, or one that we do not know: look again, do nothing."""


BUDGET_REASON = "budget"

BILLED = frozenset({Power.STARTING, Power.RUNNING, Power.STOPPING, Power.STOPPED})
"""States in which compute is paid for: not yet while it is created, and no longer while it deallocates."""
ALLOCATED = BILLED | {Power.CREATING}
"""States in which a machine has hardware, or is being given some: billed now or soon."""


@dataclass(frozen=True, slots=True)
class VmSeen:
    """One machine of the fleet in the listing."""

    name: str
    pool: str
    """Empty when the name is none of ours although the tag is: a leak."""
    offer: Offer
    power: Power
    provisioning: str = "succeeded"
    """Lower case: succeeded, creating, updating, deleting, failed."""
    error_code: str = ""
    """Why provisioning failed: AllocationFailed, OSProvisioningTimedOut and their like."""
    error_text: str = ""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """One worker's newest heartbeat."""

    worker: str
    vm: str
    boot_id: str
    state: WorkerState
    held: int
    """Tiles."""
    age_seconds: float
    """By the store's clock."""
    started: float
    """Epoch seconds of its process."""
    oldest_stage_seconds: float = 0.0
    """How long its slowest tile has been in its stage."""
    reason: str = ""
    jobs: tuple[str, ...] = ()
    """Jobs of the tiles that it holds, as far as known."""


@dataclass(frozen=True, slots=True)
class QueuesSeen:
    """Depths count the invisible ones, too."""

    tiles: int
    urgent: int
    poison: int
    delayed: int
    """Returned with a `not_before` that lies ahead."""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """One job that is not over."""

    id: str
    state: JobState
    asked: int
    committed: int
    explained: int
    budget_usd: float | None
    reason: str = ""
    """Why it is in this state; `BUDGET_REASON` at its front where we paused it for money."""


@dataclass(frozen=True, slots=True)
class Quota:
    """vCPUs of one kind in one region, by the subscription's own account: others use it, too."""

    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """Ended attempts of the last minutes."""

    ended: int
    """With a result or without one."""
    failed_at_source: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What the machines of one pool sent to the storage for one job, since the ledger is followed."""

    pool: str
    region: str
    job: str
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at everything."""

    now: float
    """Epoch seconds, by the store's clock."""
    vms: Mapping[str, VmSeen] | None
    """By name."""
    workers: tuple[WorkerSeen, ...] | None
    queues: QueuesSeen | None
    jobs: tuple[JobSeen, ...] | None
    spot_quota: Mapping[str, Quota] = field(default_factory=dict)
    """By region; a region that is not here was not seen, so nothing grows there."""
    regular_quota: Mapping[str, Quota] = field(default_factory=dict)
    usd_per_hour: Mapping[Offer, float] = field(default_factory=dict)
    usd_per_gb: Mapping[str, float] = field(default_factory=dict)
    """Of what leaves a region for the storage; a region that is not here pays nothing."""
    sent: tuple[Sent, ...] = ()
    evicted_boots: frozenset[tuple[str, str]] = frozenset()
    """(vm, boot id) that a supervisor reported as evicted."""
    attempts: Attempts = Attempts(0, 0)
    leaks: tuple[str, ...] = ()
    """Resource ids with our tag that belong to no machine: disks, interfaces, addresses."""
    tile_seconds: float | None = None
    """Median time of a tile in a worker, as measured; None before the first."""
    wishes: tuple[WishSeen, ...] | None = ()
    """Of people, not taken up yet, the oldest first."""
    missing: tuple[str, ...] = ()
    """What could not be seen, in words, with why."""

    @property
    def is_complete(self) -> bool:
        return None not in (self.vms, self.workers, self.queues, self.jobs)
