"""Some tiles of a job before everything else: a second message, on the urgent queue, for each that is not done.

A second message is harmless, since the commit is the fence; what it costs is three requests for whoever meets
it last. What was put there once stays there until it is settled (returns go back to their own queue), so what
was put is written down and left out the next time. Crash between the put and the writing: a batch is put twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from contract.artifact_names import POISON_PREFIX, commits_prefix, job_prioritised
from contract.blob_store import BlobStore
from contract.commit import Standing, standing_of
from contract.errors import Changed, NotFound
from contract.heartbeat import read_heartbeats
from contract.job import Job, JobState
from contract.job_store import asked_tiles, read_asked, read_cursor
from contract.tile_id import TileId
from contract.tile_message import TileMessage
from contract.tile_queue import TileQueue
from fleetctl.campaign.worker_table import is_live

BATCH_TILES = 512
"""Tiles between two writings of what was put: at most so many are put twice after a crash."""
_NEVER_COMMITTED = Standing(frozenset(), frozenset())


class Place(StrEnum):
    """Where a region's tile stands for a job."""

    PUT = "put on the urgent queue"
    URGENT = "there already"
    HELD = "held by a worker"
    COMMITTED = "committed"
    POISON = "given up, see `fleetctl poison list`"
    LATER = "not sent yet: the job's canary is not approved"
    NOT_ASKED = "not asked by the job"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a job's tiles, by path name."""

    standings: Mapping[str, Standing]
    """Of those with any commit."""
    poison: Collection[str]
    held: Collection[str]
    urgent: Collection[str]
    """As `_line` writes them, with their generation."""


@dataclass(frozen=True, slots=True)
class Region:
    """A region's tiles by where they stand."""

    to_put: tuple[TileMessage, ...]
    counts: Mapping[Place, int]


def look_at_region(store: BlobStore, job: Job, state: JobState | None, names: Collection[str]) -> Region:
    """Which tiles of these names are to be put on the urgent queue, and where the others stand. Reads only."""
    reach = read_cursor(store, job.id).position if state is JobState.CANARY else job.asked_count
    asked = [
        (position, tile)
        for position, tile in enumerate(asked_tiles(read_asked(store, job)))
        if tile.name in names
    ]
    known = _gather(store, job, {tile.path_name for _, tile in asked})
    counts = dict.fromkeys(Place, 0)
    to_put: list[TileMessage] = []
    for position, tile in asked:
        generation = known.standings.get(tile.path_name, _NEVER_COMMITTED).asked
        message = TileMessage(job.id, job.dataset, tile, generation)
        place = Place.LATER if position >= reach else _place(tile, message, job, known)
        counts[place] += 1
        if place is Place.PUT:
            to_put.append(message)
    counts[Place.NOT_ASKED] = len(names) - len(asked)
    return Region(tuple(to_put), counts)


def put_in_front(
    store: BlobStore,
    urgent: TileQueue,
    job: Job,
    messages: Sequence[TileMessage],
    on_tiles: Callable[[int], None] = lambda _: None,
) -> None:
    """Put them, batch by batch, each batch written down once it is put. Storage errors pass through."""
    for batch in _batches(messages):
        urgent.send_many([message.encode() for message in batch])
        _write_down(store, job, "".join(f"{_line(message)}\n" for message in batch))
        on_tiles(len(batch))


def _batches(messages: Sequence[TileMessage]) -> Iterator[Sequence[TileMessage]]:
    for start in range(0, len(messages), BATCH_TILES):
        yield messages[start : start + BATCH_TILES]


def _place(tile: TileId, message: TileMessage, job: Job, known: Known) -> Place:
    if known.standings.get(tile.path_name, _NEVER_COMMITTED).is_done:
        return Place.COMMITTED
    if tile.path_name in known.poison:
        return Place.POISON
    if job.is_urgent or _line(message) in known.urgent:
        return Place.URGENT
    return Place.HELD if tile.path_name in known.held else Place.PUT


def _gather(store: BlobStore, job: Job, wanted: Collection[str]) -> Known:
    prefix = f"{POISON_PREFIX}{job.dataset}/"
    live = [seen.heartbeat for seen in read_heartbeats(store).seen if is_live(seen)]
    held = [tile.tile for heartbeat in live for tile in heartbeat.tiles if tile.dataset == job.dataset]
    return Known(
        standings=_standings(store, job.dataset, wanted),
        poison={name.removeprefix(prefix) for name in store.names(prefix)},
        held={name.replace("/", "-") for name in held},
        urgent=set(_written_down(store, job).decode("ascii").split("\n")),
    )


def _standings(store: BlobStore, dataset: str, wanted: Collection[str]) -> dict[str, Standing]:
    """From one listing of names, of which only those of the wanted tiles are kept."""
    prefix = commits_prefix(dataset)
    parts = (name.removeprefix(prefix).partition("/") for name in store.names(prefix))
    # Lexical order keeps the names of one tile together.
    return {
        tile: standing_of(record for _, _, record in records)
        for tile, records in groupby(parts, key=lambda part: part[0])
        if tile in wanted
    }


def _line(message: TileMessage) -> str:
    return f"{message.tile.name} g{message.generation}"


def _written_down(store: BlobStore, job: Job) -> bytes:
    try:
        return store.read(job_prioritised(job.id)).data
    except NotFound:
        return b""


def _write_down(store: BlobStore, job: Job, lines: str) -> None:
    data = lines.encode("ascii")
    while True:
        try:
            store.append(job_prioritised(job.id), data, at=len(_written_down(store, job)))
        except Changed:  # somebody else prioritised just now: after theirs
            continue
        return
