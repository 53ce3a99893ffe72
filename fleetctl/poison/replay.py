"""Asking poisoned tiles again.

Order of effects for each entry, each a harmless repeat when a crash comes before the next:
the entry kept under `replayed/` -> a message per job that asks the tile put, hidden -> entry deleted.

Until the entry is deleted the tile is explained, and by then its message is on the queue: there is no instant
at which it is neither. The message stays hidden until well after the deletion. Otherwise a worker could give
the tile up again before it, find the old entry, write none of its own, and the deletion would take the only
trace of the tile. A replay that was held up for so long that the message may be visible leaves the entry:
explained and asked at once, which the next replay puts right. One that finds out only after the deletion asks
once more.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.fleet_queues import FleetQueues
from contract.job import Job
from contract.job_store import create_once
from contract.poison_entry import PoisonEntry
from contract.tile_id import TileId
from contract.tile_message import NotOurs, TileMessage, decode_message
from contract.tile_queue import TileQueue
from fleetctl.ahead import read_ahead
from fleetctl.askers import Askers, queue_of, reopen_finished
from fleetctl.poison.entries import EntryState, FoundEntry, find_entry

HIDDEN_SECONDS = 300
"""How long a replayed message stays out of sight: many times what a deletion with its retries takes."""
DELETION_SECONDS = 240.0
"""An entry is deleted only within so many seconds of its message."""


class Replayed(StrEnum):
    """What became of one entry."""

    ASKED = "asked again"
    RESOLVED = "committed meanwhile, entry removed"
    UNASKED = "no job asks it any more, entry left"
    LATE = "asked again, but the entry is still there: type the same again"
    CHANGED = "changed by somebody else meanwhile, left: type the same again"


@dataclass(frozen=True, slots=True)
class Replayer:
    """Replays entries of one fleet. Several threads may call it."""

    store: BlobStore
    queues: FleetQueues
    askers: Askers
    now: datetime
    clock: Callable[[], float]
    """Seconds that count also while the machine sleeps."""

    def __call__(self, found: FoundEntry) -> Replayed:
        """Ask the tile of this entry again. BadInput for an entry without a tile; storage errors pass through."""
        # Its turn may come long after it was found: nothing is deleted that nobody looked at.
        now = find_entry(self.store, found.blob_name)
        if now is None or now.etag != found.etag:
            return Replayed.CHANGED
        found, entry, standing = now, now.entry, now.standing
        if entry is None or entry.tile is None or standing is None:
            raise BadInput(f"{found.short_name} is no message of ours: it can be dropped, not replayed")
        jobs = self.askers.of(entry.dataset, entry.tile)
        if found.state is not EntryState.RESOLVED and not jobs:
            return Replayed.UNASKED
        keep_replayed(self.store, found)
        if found.state is EntryState.RESOLVED:
            self.store.delete(found.blob_name)
            return Replayed.RESOLVED
        reopen_finished(self.store, jobs, reason="fleetctl poison replay", now=self.now)
        put = self.clock()
        self._ask(entry, entry.tile, standing.asked, jobs)
        if self.clock() - put > DELETION_SECONDS:
            return Replayed.LATE
        self.store.delete(found.blob_name)
        if self.clock() - put > DELETION_SECONDS:
            self._ask(entry, entry.tile, standing.asked, jobs)
        return Replayed.ASKED

    def _ask(self, entry: PoisonEntry, tile: TileId, generation: int, jobs: Sequence[Job]) -> None:
        for job in jobs:
            message = fresh_message(entry, tile, generation, job)
            self._queue(entry, job).send(message.encode(), hidden_seconds=HIDDEN_SECONDS)

    def _queue(self, entry: PoisonEntry, job: Job) -> TileQueue:
        """Where it was given up: what was prioritised stays so."""
        return self.queues.urgent if entry.queue == self.queues.urgent.name else queue_of(self.queues, job)


def fresh_message(entry: PoisonEntry, tile: TileId, generation: int, job: Job) -> TileMessage:
    """A message that no earlier attempt counts against. Nothing of the old totals is kept: each of them
    leads to a limit, and the first attempt would meet it again. A checkpoint of the same generation is."""
    message = TileMessage(job.id, entry.dataset, tile, generation)
    try:
        old = decode_message(entry.raw.decode())
    except (NotOurs, UnicodeDecodeError):
        return message
    return replace(message, checkpoint=old.checkpoint) if old.generation == generation else message


def keep_replayed(store: BlobStore, found: FoundEntry) -> None:
    """Keep the entry as it was, once."""
    digest = hashlib.sha256(found.data).hexdigest()[:16]
    create_once(store, artifact_names.replayed(found.blob_name, digest), found.data)


def replay_entries(
    replayer: Replayer, entries: Iterable[FoundEntry], *, per_second: float, connections: int
) -> Iterator[Replayed]:
    """What became of each, in their order, several at a time."""
    return (end for _, end in read_ahead(replayer, paced(entries, per_second), connections))


def paced(
    entries: Iterable[FoundEntry],
    per_second: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[FoundEntry]:
    """The entries, at most so many a second: what failed once may fail again, and not all at the same time."""
    due = clock()
    for entry in entries:
        if (wait_seconds := due - clock()) > 0:
            sleep(wait_seconds)
        due = max(due, clock()) + 1 / per_second
        yield entry
