"""Mending what `verify` found, so that typing the same again goes on where it was stopped.

What can be finished is finished: publications from staging. What is gone or wrong is revoked and asked again, one
generation later, and readers keep what is left of the old one until then. Order of effects for each tile:

    resolved poison entry put aside -> revoked -> a message per job that asks the tile

A crash between the last two leaves a tile that is revoked and that nobody works on. Nothing tells it from one
whose message waits, so every revoked tile is asked again: a second message finds the commit and is deleted.
Poisoned tiles are left to `fleetctl poison replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit import publish, read_commit, read_standing, revoke
from contract.errors import StorageError, StorageUnavailable
from contract.fleet_queues import FleetQueues
from contract.job import Job, JobState
from contract.tile_id import TileId
from contract.tile_message import TileMessage
from fleetctl.ahead import read_ahead
from fleetctl.askers import Askers, find_askers, queue_of, reopen_finished
from fleetctl.audit.examine import is_named
from fleetctl.audit.faults import FaultKind, TileFinding
from fleetctl.audit.verdict import Standing
from fleetctl.audit.verify import Audit
from fleetctl.poison.entries import EntryState, find_entry
from fleetctl.poison.replay import keep_replayed

REASON = "fleetctl verify --repair"


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What a repair would do. A tile may be in several parts."""

    to_publish: tuple[TileFinding, ...]
    to_redo: tuple[TileFinding, ...]
    """To revoke and ask again."""
    to_remove: tuple[TileFinding, ...]
    """With artifacts that their commits do not name."""
    to_ask: tuple[TileId, ...]
    """Not committed, and perhaps without a message."""
    poisoned: int
    """Left as they are."""
    is_cancelled: bool
    """The job is."""

    @property
    def is_empty(self) -> bool:
        return not (self.to_publish or self.to_redo or self.to_remove or self.to_ask)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of one tile."""

    tile: TileId
    deed: str
    """In words."""


def plan_repair(audit: Audit, *, are_queues_empty: bool) -> RepairPlan:
    """Decide from what was found. With empty queues also every tile that was sent and has no result is asked
    again: whatever became of its message, it is not waiting."""
    kinds = {finding.tile: {fault.kind for fault in finding.faults} for finding in audit.findings}
    lost = (Standing.ASKED_AGAIN, *((Standing.QUEUED,) if are_queues_empty else ()))
    is_cancelled = audit.sent.state is JobState.CANCELLED
    return RepairPlan(
        to_publish=tuple(f for f in audit.findings if FaultKind.NOT_PUBLISHED in kinds[f.tile]),
        to_redo=tuple(f for f in audit.findings if f.is_corrupt),
        to_remove=tuple(f for f in audit.findings if FaultKind.LEFT_OVER in kinds[f.tile]),
        to_ask=() if is_cancelled else tuple(audit.tiles_that_are(*lost)),
        poisoned=audit.verdict.standings[Standing.POISON],
        is_cancelled=is_cancelled,
    )


def are_empty(queues: FleetQueues) -> bool:
    """Whether no message waits or is held: asked before a look at the commits, so that what a worker
    finished in between is not taken for lost."""
    return queues.tiles.depth() == 0 and queues.urgent.depth() == 0


@dataclass(frozen=True, slots=True)
class Repairer:
    """Carries a plan out, several tiles at a time."""

    store: BlobStore
    queues: FleetQueues
    job: Job
    askers: Askers
    is_cancelled: bool

    def publish(self, finding: TileFinding) -> Repaired:
        """Finish a publication; what cannot be finished, because its uploads are gone too, is done again."""
        committed = read_commit(self.store, self.job.dataset, finding.tile, finding.generation)
        try:
            if committed is not None:
                publish(self.store, committed.record)
        except StorageUnavailable:
            raise
        except StorageError:
            return self.redo(finding)
        return Repaired(finding.tile, "published")

    def redo(self, finding: TileFinding) -> Repaired:
        """Revoke the generation that was found wrong, and ask for the next one. A damaged result is better than
        none that will ever be made, so a cancelled job's tile stays unless another job asks for it."""
        if self.is_cancelled and not self.askers.of(self.job.dataset, finding.tile):
            return Repaired(finding.tile, "left: its job is cancelled, and no other one asks for it")
        entry = find_entry(self.store, artifact_names.poison(self.job.dataset, finding.tile))
        if entry is not None and entry.state is EntryState.RESOLVED:
            # It would explain the tile again as soon as that is revoked.
            keep_replayed(self.store, entry)
            self.store.delete(entry.blob_name)
        faults = ", ".join(dict.fromkeys(fault.kind.value for fault in finding.faults))
        revoke(self.store, self.job.dataset, finding.tile, finding.generation, f"{REASON}: {faults}")
        return self.ask(finding.tile)

    def remove(self, finding: TileFinding) -> Repaired:
        """Delete what the tile's commit does not name; looked at once more, right before."""
        dataset, removed = self.job.dataset, 0
        for fault in finding.faults:
            is_left = fault.kind is FaultKind.LEFT_OVER
            if is_left and not is_named(self.store, dataset, finding.tile, fault.artifact):
                removed += self.store.delete(artifact_names.published(dataset, fault.artifact))
        return Repaired(finding.tile, f"{removed} left-over artifacts removed")

    def ask(self, tile: TileId) -> Repaired:
        """Put a message for the generation that counts now, in the name of every job that would miss it."""
        generation = read_standing(self.store, self.job.dataset, tile).asked
        jobs = self.askers.of(self.job.dataset, tile)
        for job in jobs:
            queue_of(self.queues, job).send(TileMessage(job.id, job.dataset, tile, generation).encode())
        by_whom = "asked again" if jobs else "will be asked when its job's turn comes"
        return Repaired(tile, f"generation {generation} {by_whom}")


def carry_out(
    store: BlobStore,
    queues: FleetQueues,
    job: Job,
    plan: RepairPlan,
    *,
    now: datetime,
    connections: int,
) -> Iterator[Repaired]:
    """Do what the plan says, and tell what became of each tile. Stopped anywhere, it may be planned again."""
    tiles = {f.tile for f in (*plan.to_publish, *plan.to_redo)} | set(plan.to_ask)
    askers = find_askers(store, [(job.dataset, tile) for tile in tiles])
    reopen_finished(store, _asking(askers, job.dataset, tiles), reason=REASON, now=now)
    repairer = Repairer(store, queues, job, askers, plan.is_cancelled)

    def each(deed: Callable[[TileFinding], Repaired], found: Sequence[TileFinding]) -> Iterator[Repaired]:
        return (repaired for _, repaired in read_ahead(deed, found, connections))

    yield from each(repairer.publish, plan.to_publish)
    yield from each(repairer.remove, plan.to_remove)
    yield from each(repairer.redo, plan.to_redo)
    yield from (repaired for _, repaired in read_ahead(repairer.ask, plan.to_ask, connections))


def _asking(askers: Askers, dataset: str, tiles: set[TileId]) -> list[Job]:
    found = {job.id: job for tile in tiles for job in askers.of(dataset, tile)}
    return list(found.values())
