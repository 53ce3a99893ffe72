"""One look at everything. A part that cannot be seen is left out and named: never taken for an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import StorageError, TilefleetError
from contract.fleet_queues import FleetQueues
from contract.heartbeat import SeenHeartbeat, read_heartbeats
from fleetctl.cloud.machines import Machines, Refused
from fleetctl.controller.listing_pause import ListingPause
from fleetctl.controller.policy import Offer, Policy, Priority, Route
from fleetctl.controller.snapshot import (
    Attempts,
    JobSeen,
    QueuesSeen,
    Quota,
    Sent,
    Snapshot,
    VmSeen,
    WorkerSeen,
)
from fleetctl.controller.wishes import read_wishes

Part = TypeVar("Part")
Priced = TypeVar("Priced", Offer, Route)


class Prices(Protocol):
    """What is known of prices, at once: USD per hour of an offer, per GB of a route."""

    def __call__(self, wanted: Iterable[Priced]) -> Mapping[Priced, float]:
        """What has no price is left out."""
        ...


class History(Protocol):
    """What the ledger and the commits tell, kept up to date beside the ticks: these answer from memory."""

    def delayed(self, now: float) -> int:
        """Messages that were returned with a `not_before` ahead."""
        ...

    def attempts(self, now: float, window_seconds: float) -> Attempts: ...

    def tile_seconds(self) -> float | None: ...

    def sent_bytes(self) -> Mapping[tuple[str, str], int]:
        """By the front of the machines' names, `<fleet>-<pool>`, and job."""
        ...

    def jobs(self) -> tuple[JobSeen, ...]:
        """Every job that is not over. StorageError when nothing could be read yet."""
        ...


@dataclass(frozen=True, slots=True)
class Eyes:
    """What is looked with."""

    machines: Machines
    store: BlobStore
    queues: FleetQueues
    history: History
    prices: Prices
    policy: Policy
    leaks: Callable[[], tuple[str, ...]]
    """As found by the slow loop that looks for them."""
    pause: ListingPause = field(default_factory=ListingPause)

    def look(self) -> Snapshot:
        """Everything at about one moment."""
        missing: list[str] = []
        vms = _try("machines", missing, lambda: self.pause.list_by_name(self.machines))
        workers = _try("heartbeats", missing, lambda: read_heartbeats(self.store).seen)
        now = self.store.now().timestamp()
        queues = _try("queues", missing, lambda: self._queues(now))
        jobs = _try("jobs", missing, self.history.jobs)
        return Snapshot(
            now=now,
            vms=vms,
            workers=None if workers is None else tuple(_worker(seen, now) for seen in workers),
            queues=queues,
            jobs=jobs,
            spot_quota=self._quota(Priority.SPOT, vms, missing),
            regular_quota=self._quota(Priority.REGULAR, vms, missing),
            usd_per_hour=self.prices(self._offers(vms)),
            usd_per_gb=self._usd_per_gb(),
            sent=self._sent(),
            evicted_boots=_try("evictions", missing, self._evicted_boots) or frozenset(),
            attempts=self.history.attempts(now, self.policy.patience.outage_window),
            tile_seconds=self.history.tile_seconds(),
            leaks=self.leaks(),
            wishes=_try("wishes", missing, lambda: read_wishes(self.store)),
            missing=tuple(missing),
        )

    def _queues(self, now: float) -> QueuesSeen:
        return QueuesSeen(
            tiles=self.queues.tiles.depth(),
            urgent=self.queues.urgent.depth(),
            poison=self.queues.poison.depth(),
            delayed=self.history.delayed(now),
        )

    def _quota(
        self, priority: Priority, vms: Mapping[str, VmSeen] | None, missing: list[str]
    ) -> dict[str, Quota]:
        """Of the regions of our pools; one that cannot be seen is left out, so that nothing grows there."""
        regions = {pool.offer.region for pool in self.policy.pools if pool.offer.priority is priority}
        found: dict[str, Quota] = {}
        for region in sorted(regions) if vms is not None else ():
            quota = _try(f"quota of {region}", missing, lambda: self.machines.quota(region, priority))  # noqa: B023
            if quota is not None:
                found[region] = quota
        return found

    def _offers(self, vms: Mapping[str, VmSeen] | None) -> set[Offer]:
        """Of the pools, and of machines whose pool is not in the fleet file any more: they are paid for, too."""
        return {pool.offer for pool in self.policy.pools} | {vm.offer for vm in (vms or {}).values()}

    def _usd_per_gb(self) -> dict[str, float]:
        home = self.policy.home
        away = {pool.offer.region for pool in self.policy.pools} - {home} if home else set()
        routes = self.prices({Route(region, home) for region in away})
        return {route.origin: usd for route, usd in routes.items()}

    def _sent(self) -> tuple[Sent, ...]:
        pools = {f"{self.policy.fleet}-{pool.name}": pool for pool in self.policy.pools}
        return tuple(
            Sent(pools[front].name, pools[front].offer.region, job, total)
            for (front, job), total in self.history.sent_bytes().items()
            if front in pools
        )

    def _evicted_boots(self) -> frozenset[tuple[str, str]]:
        names = self.store.names(artifact_names.EVICTIONS_PREFIX)
        parts = (name.removeprefix(artifact_names.EVICTIONS_PREFIX).partition("/") for name in names)
        return frozenset((vm, boot) for vm, _, boot in parts)


def _worker(seen: SeenHeartbeat, now: float) -> WorkerSeen:
    heartbeat = seen.heartbeat
    began = [datetime.fromisoformat(tile.since).timestamp() for tile in heartbeat.tiles]
    return WorkerSeen(
        worker=heartbeat.worker,
        vm=heartbeat.vm,
        boot_id=heartbeat.boot_id,
        state=heartbeat.state,
        held=heartbeat.held_count,
        age_seconds=seen.age_seconds,
        started=datetime.fromisoformat(heartbeat.started).timestamp(),
        oldest_stage_seconds=max((now - moment for moment in began), default=0.0),
        reason=heartbeat.reason,
        jobs=tuple(tile.job for tile in heartbeat.tiles if tile.job),
    )


def _try(what: str, missing: list[str], look: Callable[[], Part]) -> Part | None:
    try:
        return look()
    except (StorageError, Refused, TilefleetError, ValueError) as error:
        missing.append(f"{what}: {error}")
        return None
