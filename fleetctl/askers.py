"""Who still asks a tile: a tile that is asked again is asked in the name of every job that would miss it.

One job's message serves all jobs of a dataset, because its commit does. But a cancelled job's messages are
dropped, so a message in one name only would be lost to the others the moment that job is cancelled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contract.blob_store import BlobStore
from contract.fleet_queues import FleetQueues
from contract.job import Job, JobState
from contract.job_store import asked_tiles, read_asked, read_cursor
from contract.tile_id import TileId
from contract.tile_queue import TileQueue
from fleetctl.campaign.job_control import reopen
from fleetctl.campaign.job_list import survey_jobs
from fleetctl.campaign.job_table import read_state

DatasetTile = tuple[str, TileId]


@dataclass(frozen=True, slots=True)
class Askers:
    """The jobs behind some tiles."""

    by_tile: Mapping[DatasetTile, Sequence[Job]]
    paused: frozenset[str]
    """Ids of those whose messages wait."""

    def of(self, dataset: str, tile: TileId) -> Sequence[Job]:
        """In the order of their ids; empty: nobody would miss the tile."""
        return self.by_tile.get((dataset, tile), ())


def find_askers(store: BlobStore, tiles: Collection[DatasetTile]) -> Askers:
    """The jobs that have asked these tiles and are not cancelled.

    A tile behind a job's enqueue cursor is left out: that job will send it when its turn comes.
    """
    by_dataset: dict[str, set[TileId]] = {}
    for dataset, tile in tiles:
        by_dataset.setdefault(dataset, set()).add(tile)
    by_tile: dict[DatasetTile, list[Job]] = {}
    paused: set[str] = set()
    for job in survey_jobs(store).jobs:
        wanted = by_dataset.get(job.dataset)
        status = read_state(store, job) if wanted else None
        if not wanted or (status and status.state is JobState.CANCELLED):
            continue
        if status and status.state is JobState.PAUSED:
            paused.add(job.id)
        sent = read_cursor(store, job.id).position
        for position, tile in enumerate(asked_tiles(read_asked(store, job))):
            if position >= sent:
                break
            if tile in wanted:
                by_tile.setdefault((job.dataset, tile), []).append(job)
    return Askers(by_tile, frozenset(paused))


def queue_of(queues: FleetQueues, job: Job) -> TileQueue:
    """Urgent jobs have a queue that is emptied first."""
    return queues.urgent if job.is_urgent else queues.tiles


def reopen_finished(store: BlobStore, jobs: Iterable[Job], *, reason: str, now: datetime) -> None:
    """A finished job that is asked a tile again is running again."""
    for job in jobs:
        reopen(store, job, reason=reason, now=now)
