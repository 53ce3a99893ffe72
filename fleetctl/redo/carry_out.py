"""Asking tiles again whose result no longer counts.

Order of effects for each batch, each a harmless repeat when a crash comes before the next:
old poison entries kept elsewhere and removed -> messages of the next generation put -> this generation
revoked -> the plan's position written.

The message comes first. A worker may commit the next generation whether or not this one is revoked yet, so at
every instant the tile is committed, or asked by a message that is on the queue; revoked first, a crash would
leave it neither. The old entry goes while the tile is still committed: left there, it would make the tile
explained the moment that its result is revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit import read_standing, revoke
from contract.fleet_queues import FleetQueues
from contract.job import Job
from contract.tile_message import TileMessage
from fleetctl.ahead import read_ahead
from fleetctl.askers import Askers, queue_of
from fleetctl.poison.entries import find_entry
from fleetctl.poison.replay import keep_replayed
from fleetctl.redo.choose import RedoTile
from fleetctl.redo.plan import RedoPlan, advance

BATCH_TILES = 256
"""Tiles between two writings of the position: at most so many messages are repeated after a crash."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Carries out the plans of one job."""

    store: BlobStore
    queues: FleetQueues
    job: Job
    askers: Askers
    connections: int

    def carry_out(self, plan: RedoPlan, on_tiles: Callable[[int], None] = lambda _: None) -> int:
        """Ask the rest of the plan again; how many tiles were. `on_tiles` hears of each batch's size.

        BadInput when somebody else carries the same plan out; storage errors pass through: type it again.
        """
        asked, etag = 0, plan.etag
        for start in range(plan.position, len(plan.tiles), BATCH_TILES):
            batch = plan.tiles[start : start + BATCH_TILES]
            asked += self._ask(batch, plan.reason)
            etag = advance(self.store, plan, etag, start + len(batch))
            on_tiles(len(batch))
        return asked

    def _ask(self, batch: Sequence[RedoTile], reason: str) -> int:
        prepared = list(read_ahead(self._prepare, batch, self.connections))
        wanted = [tile for tile, is_wanted in prepared if is_wanted]
        for queue in (self.queues.urgent, self.queues.tiles):
            bodies = [
                TileMessage(job.id, job.dataset, one.tile, one.generation + 1).encode()
                for one in wanted
                for job in self._jobs(one)
                if queue_of(self.queues, job) is queue
            ]
            if bodies:
                queue.send_many(bodies)

        def put_aside(one: RedoTile) -> int:
            return revoke(self.store, self.job.dataset, one.tile, one.generation, reason)

        return sum(1 for _ in read_ahead(put_aside, wanted, self.connections))

    def _prepare(self, one: RedoTile) -> bool:
        """Whether the tile is still to be asked: not when a newer generation is committed already."""
        standing = read_standing(self.store, self.job.dataset, one.tile)
        if standing.newest_committed > one.generation:
            return False
        name = artifact_names.poison(self.job.dataset, one.tile)
        if standing.is_done and (entry := find_entry(self.store, name)) is not None:
            keep_replayed(self.store, entry)
            self.store.delete(name)
        return True

    def _jobs(self, one: RedoTile) -> Sequence[Job]:
        return self.askers.of(self.job.dataset, one.tile) or [self.job]
