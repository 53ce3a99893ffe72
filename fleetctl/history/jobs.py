"""The jobs as the controller sees them: records and states by one listing, progress by `JobCount`.

A state or budget is read again only when its ETag changed, so a hundred jobs cost one request at a look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.budget import read_budget
from contract.errors import BadInput, NotFound, StorageUnavailable
from contract.job import Job, JobState, JobStatus, decode_job, decode_job_status
from contract.job_store import read_asked
from contract.ledger_events import DONE, POISONED, Event
from contract.tile_id import parse_tile
from fleetctl.controller.snapshot import JobSeen
from fleetctl.history.job_count import JobCount, asked_path_names, hashes, standing_tiles, tile_hash

log = structlog.get_logger()

OVER = frozenset({JobState.CANCELLED, JobState.FINISHED})
LIST_AGAIN_SECONDS = 60.0
LISTING_SHARE = 20.0
"""A listing that takes a minute is made again after twenty: it costs at most a twentieth of the time."""


@dataclass
class KnownJob:
    """One job of the container."""

    job: Job
    count: JobCount
    status: JobStatus | None = None
    """None: it was never started."""
    budget_usd: float | None = None
    etags: dict[str, str] = field(default_factory=dict)
    """Of the blobs below that were read, by name."""
    list_after: float = 0.0
    """Our own clock: when its commits are listed again."""

    @property
    def is_over(self) -> bool:
        return self.status is None or self.status.state in OVER


class JobBook:
    """All jobs. One thread looks and takes lines, another lists, any thread reads."""

    def __init__(self, store: BlobStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._jobs: dict[str, KnownJob] = {}
        self._kept: dict[str, JobCount] = {}
        self._unreadable: set[str] = set()
        self._was_read = False
        self._lock = threading.Lock()

    def restore(self, counts: dict[str, JobCount]) -> None:
        """Begin with what an earlier controller had counted."""
        self._kept = dict(counts)

    def counts(self) -> dict[str, JobCount]:
        """What to keep for the next controller, of jobs that are not over."""
        with self._lock:
            return {
                id_: known.count
                for id_, known in self._jobs.items()
                if not known.is_over and known.count.is_listed
            }

    def seen(self) -> tuple[JobSeen, ...]:
        """Every job that is not over. StorageUnavailable when the jobs were never read yet."""
        with self._lock:
            if not self._was_read:
                raise StorageUnavailable("the jobs were not read yet")
            return tuple(_seen(known) for known in self._jobs.values() if not known.is_over)

    def look(self) -> None:
        """Find new jobs, and states and budgets that changed. StorageError."""
        listed = {blob.name: blob for blob in self._store.listing(artifact_names.JOBS_PREFIX)}
        for name in listed:
            id_ = name.removeprefix(artifact_names.JOBS_PREFIX).partition("/")[0]
            if name == artifact_names.job_record(id_) and id_ not in self._jobs:
                self._meet(id_, name)
        for id_, known in self._jobs.items():
            self._read_changes(id_, known, listed)
        with self._lock:
            self._was_read = True

    def take(self, event: Event) -> None:
        """Count a line that ends a tile."""
        if event["name"] not in (DONE, POISONED) or "tile" not in event:
            return
        try:
            tile = tile_hash(parse_tile(str(event["tile"])).path_name)
        except BadInput:
            return
        with self._lock:
            for known in self._jobs.values():
                if known.job.dataset == event.get("dataset"):
                    note = known.count.on_done if event["name"] == DONE else known.count.on_poisoned
                    note(tile, self._clock())

    def list_due(self) -> None:
        """List the commits of every job that is due. Minutes for a million tiles: not for the thread that looks."""
        for known in list(self._jobs.values()):
            if known.is_over or self._clock() < known.list_after:
                continue
            try:
                self._list(known)
            except (
                BadInput,
                NotFound,
            ) as error:  # its asked list is gone or another one: the others are counted
                known.list_after = self._clock() + LIST_AGAIN_SECONDS
                self._leave_out(known.job.id, error)

    def _list(self, known: KnownJob) -> None:
        began = self._clock()
        dataset = known.job.dataset
        commits, poison = artifact_names.commits_prefix(dataset), f"{artifact_names.POISON_PREFIX}{dataset}/"
        asked = hashes(asked_path_names(read_asked(self._store, known.job)))
        committed = hashes(standing_tiles(self._store.names(commits), commits))
        poisoned = hashes(name.removeprefix(poison) for name in self._store.names(poison))
        with self._lock:
            known.count.on_listing(asked, committed, poisoned, began)
        took = self._clock() - began
        known.list_after = self._clock() + max(LIST_AGAIN_SECONDS, LISTING_SHARE * took)

    def _meet(self, id_: str, record: str) -> None:
        """Read a new job's record. One that cannot be read is said once and left out: the others go on."""
        if id_ in self._unreadable:
            return
        try:
            job = decode_job(self._store.read(record).data)
        except BadInput as error:
            self._leave_out(id_, error)
            return
        count = self._kept.pop(id_, None) or JobCount(job.asked_count)
        with self._lock:
            self._jobs[id_] = KnownJob(job, count)

    def _leave_out(self, id_: str, error: Exception) -> None:
        """Said once."""
        if id_ not in self._unreadable:
            self._unreadable.add(id_)
            log.warning("job left out", job=id_, reason=str(error))

    def _read_changes(self, id_: str, known: KnownJob, listed: dict[str, BlobInfo]) -> None:
        state, budget = artifact_names.job_state(id_), artifact_names.job_budget(id_)
        for name, read in ((state, self._read_status), (budget, self._read_budget)):
            etag = listed[name].etag if name in listed else ""
            if known.etags.get(name, "") != etag:
                try:
                    read(known)
                except (NotFound, BadInput) as error:  # StorageUnavailable passes: it is read again
                    log.warning("job not read again", blob=name, reason=str(error))
                known.etags[name] = etag

    def _read_status(self, known: KnownJob) -> None:
        known.status = decode_job_status(self._store.read(artifact_names.job_state(known.job.id)).data)
        known.list_after = 0.0  # resumed or asked again: what was counted may be old

    def _read_budget(self, known: KnownJob) -> None:
        budget = read_budget(self._store, known.job.id)
        known.budget_usd = budget.usd if budget else None


def _seen(known: KnownJob) -> JobSeen:
    status = known.status
    assert status is not None  # jobs without one are over, for whoever looks
    return JobSeen(
        id=known.job.id,
        state=status.state,
        asked=known.job.asked_count,
        committed=known.count.committed,
        explained=known.count.explained,
        budget_usd=known.budget_usd,
        reason=status.reason,
    )
