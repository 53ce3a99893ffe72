"""All jobs of a fleet, one line each: what was asked, what is committed, what is explained, in which state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.completion import committed_tiles
from contract.errors import BadInput, NotFound
from contract.job import Job, JobState, JobStatus
from contract.job_store import asked_tiles, read_asked, read_status
from fleetctl.campaign.job_list import JobList, UnreadableJob

NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job as the table shows it."""

    job: Job
    status: JobStatus | None
    """None: its record was written, but it was never started."""
    committed: int
    explained: int
    """Asked, not committed, and accounted for: given up, or the whole job is cancelled."""

    @property
    def state_word(self) -> str:
        return self.status.state.value if self.status else NOT_STARTED


@dataclass(frozen=True, slots=True)
class _Tiles:
    """Path names of the tiles of one dataset."""

    committed: frozenset[str]
    poisoned: frozenset[str]


class JobCounter:
    """Counts jobs against listings, each dataset's taken once however many jobs share it."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._datasets: dict[str, _Tiles] = {}

    def count(self, job: Job) -> JobLine:
        """The job as it is now. BadInput or NotFound when one of its records is damaged or gone."""
        status = read_state(self._store, job)
        tiles = self._tiles(job.dataset)
        asked = {tile.path_name for tile in asked_tiles(read_asked(self._store, job))}
        committed = len(asked & tiles.committed)
        explained = len((asked & tiles.poisoned) - tiles.committed)
        if status and status.state is JobState.CANCELLED:
            explained = len(asked) - committed
        return JobLine(job, status, committed, explained)

    def _tiles(self, dataset: str) -> _Tiles:
        if dataset not in self._datasets:
            prefix = f"{artifact_names.POISON_PREFIX}{dataset}/"
            self._datasets[dataset] = _Tiles(
                frozenset(committed_tiles(self._store.names(artifact_names.commits_prefix(dataset)))),
                frozenset(name.removeprefix(prefix) for name in self._store.names(prefix)),
            )
        return self._datasets[dataset]


def read_state(store: BlobStore, job: Job) -> JobStatus | None:
    """The job's state; None when it was never started."""
    try:
        return read_status(store, job.id).status
    except NotFound:
        return None


def count_jobs(store: BlobStore, listed: JobList) -> tuple[list[JobLine], list[UnreadableJob]]:
    """Every job counted, and those that cannot be."""
    counter = JobCounter(store)
    lines: list[JobLine] = []
    unreadable = list(listed.unreadable)
    for job in listed.jobs:
        try:
            lines.append(counter.count(job))
        except (BadInput, NotFound) as error:
            unreadable.append(UnreadableJob(job.id, str(error)))
    return lines, unreadable


def jobs_table(lines: Sequence[JobLine], unreadable: Sequence[UnreadableJob]) -> RenderableType:
    """One row per job, then the unreadable ones."""
    if not lines and not unreadable:
        return Text("no jobs yet: `producer enqueue REGION` makes one")
    table = Table(box=None, pad_edge=False)
    for heading in ("job", "dataset", "state", "asked", "committed", "explained", "created", "reason"):
        is_count = heading in {"asked", "committed", "explained"}
        table.add_column(heading, justify="right" if is_count else "left", overflow="fold")
    for line in lines:
        table.add_row(
            Text(line.job.id),
            Text(line.job.dataset),
            Text(line.state_word + (", urgent" if line.job.is_urgent else "")),
            str(line.job.asked_count),
            str(line.committed),
            str(line.explained),
            Text(line.job.created),
            Text(line.status.reason if line.status else ""),
        )
    broken = [Text(f"{job.id}: unreadable: {job.problem}", style="red") for job in unreadable]
    return Group(table, *broken)


def jobs_json(lines: Sequence[JobLine], unreadable: Sequence[UnreadableJob]) -> list[dict[str, Any]]:
    """The same for programs; an unreadable job has only its id and its problem."""
    rows: list[dict[str, Any]] = [
        {
            "job": line.job.id,
            "name": line.job.name,
            "campaign": line.job.campaign,
            "dataset": line.job.dataset,
            "state": line.status.state.value if line.status else None,
            "reason": line.status.reason if line.status else "",
            "since": line.status.changed if line.status else None,
            "is_urgent": line.job.is_urgent,
            "asked": line.job.asked_count,
            "committed": line.committed,
            "explained": line.explained,
            "created": line.job.created,
        }
        for line in lines
    ]
    return rows + [{"job": job.id, "unreadable": job.problem} for job in unreadable]
