"""The rest of a job's asked list onto the queue; safe to run twice, to kill, and to run beside another.

Order of effects for each batch: messages put and answered -> cursor written. A crash between the two
repeats at most one batch, and nothing is ever skipped, since the cursor counts the asked list itself
and done tiles are left out only when their turn comes.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from contract.blob_store import BlobLease, BlobStore
from contract.errors import AlreadyExists, BadInput, Changed, StorageError, TilefleetError
from contract.job import Job
from contract.job_store import (
    PRODUCER_LEASE_SECONDS,
    Cursor,
    asked_tiles,
    lease_for_producing,
    write_cursor,
)
from contract.tile_message import TileMessage
from contract.tile_queue import TileQueue
from producer.done import Standings

BATCH_TILES = 512
"""Tiles between two writings of the cursor: at most so many messages are repeated after a crash."""

RENEW_SECONDS = PRODUCER_LEASE_SECONDS / 3


class EndedEarly(TilefleetError):
    """Sending stopped with part of the list on the queue; the same command goes on from there."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one call of `send_rest` did."""

    new: int
    """Messages put on the queue."""
    left_out: int
    """Tiles that were done when their turn came."""


Report = Callable[[int, int], None]
"""Called after each batch with the position in the asked list and the messages sent so far."""


def send_rest(
    store: BlobStore,
    queue: TileQueue,
    job: Job,
    *,
    asked: bytes,
    standings: Standings,
    lease: BlobLease,
    start: int,
    end: int,
    report: Report,
    clock: Callable[[], float] = time.monotonic,
) -> Sent:
    """Put the tiles of `asked[start:end]` that are not done onto the queue, batch by batch.

    EndedEarly when another producer took the lease over; storage errors pass through.
    """
    new = left_out = 0
    renewed = -math.inf  # finding out what is done may have outlasted the lease
    tiles = itertools.islice(asked_tiles(asked, start), end - start)
    for position in range(start, end, BATCH_TILES):
        batch = list(itertools.islice(tiles, BATCH_TILES))
        bodies = [
            TileMessage(job.id, job.dataset, tile, standings.generation_to_ask(tile)).encode()
            for tile in batch
            if not standings.is_done(tile)
        ]
        queue.send_many(bodies)
        new += len(bodies)
        left_out += len(batch) - len(bodies)
        with _ours(job):
            # First: a lease that ran out can be renewed while nobody took it, but not written under.
            if clock() - renewed > RENEW_SECONDS:
                lease.renew()
                renewed = clock()
            write_cursor(store, job.id, Cursor(position + len(batch)))
        report(position + len(batch), new)
    return Sent(new, left_out)


@contextmanager
def sole_producer(
    store: BlobStore,
    job: Job,
    *,
    on_wait: Callable[[str], None],
    wait_seconds: float = PRODUCER_LEASE_SECONDS + 2,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[BlobLease]:
    """Hold the job's producer lease; BadInput when another producer keeps it.

    A producer that was killed leaves its lease behind, so we wait out one length of it, saying so
    once with `on_wait`, before we believe that the other one lives.
    """
    lease = _try_lease(store, job)
    if lease is None:
        on_wait(
            f"another producer holds job {job.id}, or died holding it: "
            f"waiting {wait_seconds:.0f} s for its lease"
        )
        waited = 0.0
        while lease is None and waited < wait_seconds:
            sleep(1.0)
            waited += 1.0
            lease = _try_lease(store, job)
    if lease is None:
        raise BadInput(
            f"another producer is enqueueing job {job.id} right now: let it finish, then ask again"
        )
    try:
        yield lease
    finally:
        with suppress(StorageError):  # it ends by itself, and must not hide why we are here
            lease.release()


def _try_lease(store: BlobStore, job: Job) -> BlobLease | None:
    try:
        return lease_for_producing(store, job.id)
    except AlreadyExists:
        return None


@contextmanager
def _ours(job: Job) -> Iterator[None]:
    try:
        yield
    except Changed as error:
        raise EndedEarly(
            f"another producer took job {job.id} over while this one was silent: "
            "let it finish, then ask again"
        ) from error
