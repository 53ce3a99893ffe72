"""One job from its plan to messages: records written once, then what of its list is not on the queue yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists, BadInput, NotAllowed, NotFound, StorageUnavailable
from contract.fleet_queues import FleetQueues
from contract.job import Job, JobState, JobStatus
from contract.job_store import (
    asked_tiles,
    create_once,
    find_job,
    read_cursor,
    read_status,
)
from contract.tile_queue import TileQueue
from producer.done import Standings, read_standings
from producer.plan import JobPlan, check_same_job, first_state, first_status, last_position
from producer.send import Report, send_rest, sole_producer


@dataclass(frozen=True, slots=True)
class Storage:
    """Where records and messages go."""

    store: BlobStore
    queues: FleetQueues

    def queue_of(self, job: Job) -> TileQueue:
        """Urgent jobs have a queue that is emptied first."""
        return self.queues.urgent if job.is_urgent else self.queues.tiles


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a job stands after an enqueue, or would stand. Counts are of tiles and add up to `asked`."""

    job: Job
    state: JobState
    new: int
    """Put on the queue by this enqueue."""
    done: int
    """Committed."""
    queued: int
    """Put on the queue before, and not yet committed."""
    held_back: int
    """Waiting until the canary is approved."""

    @property
    def asked(self) -> int:
        return self.job.asked_count


class Watcher(Protocol):
    """Who shows how the sending goes."""

    def sending(self, job: Job, start: int, end: int) -> Report:
        """Called before the first batch, with the part of the asked list that is not enqueued yet."""
        ...

    def say(self, sentence: str) -> None:
        """Something a person should know now."""
        ...


def check_storage(storage: Storage) -> None:
    """Read a little from everything that we shall write to; BadInput with the remedy when that fails."""
    try:
        next(storage.store.names(artifact_names.JOBS_PREFIX), None)
        for queue in (storage.queues.tiles, storage.queues.urgent):
            queue.depth()
    except NotFound as error:
        raise BadInput(f"{error}: make the fleet's container and queues first, or check --fleet") from error
    except NotAllowed as error:
        raise BadInput(f"the storage refuses us: {error}") from error
    except StorageUnavailable as error:
        raise BadInput(f"the storage does not answer: {error}; check the fleet's addresses") from error


def keep_boundaries(store: BlobStore, sha256: str, land: Callable[[], bytes]) -> None:
    """Store the land polygons that workers cut tiles with, once per boundaries file; `land` makes them."""
    name = artifact_names.boundaries(sha256)
    if next(store.names(name), None) is None:
        with suppress(AlreadyExists):
            store.create(name, land())


def enqueue_job(storage: Storage, plan: JobPlan, *, now: str, watcher: Watcher) -> Outcome:
    """Store a job's records unless they are there, and send what was not sent; a second call adds nothing.

    `now` is UTC, ISO 8601. BadInput when the job is paused or cancelled, or another producer sends it.
    """
    job = store_records(storage.store, plan, now=now)
    state = sendable_state(storage.store, job)
    with sole_producer(storage.store, job, on_wait=watcher.say) as lease:
        # Read under the lease: before it, another producer may have moved both.
        start = read_cursor(storage.store, job.id).position
        standings = _standings(storage.store, job, plan.asked)
        end = max(start, last_position(job, state))
        sent = send_rest(
            storage.store,
            storage.queue_of(job),
            job,
            asked=plan.asked,
            standings=standings,
            lease=lease,
            start=start,
            end=end,
            report=watcher.sending(job, start, end),
        )
    return _outcome(job, state, plan.asked, standings, end=end, new=sent.new)


def preview_job(store: BlobStore, plan: JobPlan) -> Outcome:
    """What `enqueue_job` would come to. Reads only."""
    stored = find_job(store, plan.job.id)
    if stored is None:
        job, state, start = plan.job, first_state(plan.job), 0
    else:
        check_same_job(stored, plan.job)
        job, state = stored, sendable_state(store, stored)
        start = read_cursor(store, stored.id).position
    standings = _standings(store, job, plan.asked)
    end = max(start, last_position(job, state))
    new = sum(
        not standings.is_done(tile)
        for position, tile in enumerate(asked_tiles(plan.asked, start), start)
        if position < end
    )
    return _outcome(job, state, plan.asked, standings, end=end, new=new)


def store_records(store: BlobStore, plan: JobPlan, *, now: str) -> Job:
    """Dataset, asked list, job and state, in this order, each once; the job as it is stored."""
    stored = find_job(store, plan.job.id)
    job = stored or plan.job
    check_same_job(job, plan.job)
    create_once(store, artifact_names.dataset_record(plan.dataset.name), plan.dataset.encode())
    create_once(store, artifact_names.job_asked(job.id), plan.asked)
    if stored is None:
        with suppress(AlreadyExists):  # another producer asked the same just now: its `created` counts
            store.create(artifact_names.job_record(job.id), job.encode())
    with suppress(AlreadyExists):
        store.create(artifact_names.job_state(job.id), first_status(job, now=now).encode())
    return job


def sendable_state(store: BlobStore, job: Job) -> JobState:
    """The job's state; BadInput when nothing may be sent in it."""
    status = _status(store, job)
    if status.state in {JobState.PAUSED, JobState.CANCELLED}:
        remedy = "resume it first" if status.state is JobState.PAUSED else "ask under another --job name"
        raise BadInput(f"job {job.id} is {status.state.value} ({status.reason}): {remedy}")
    return status.state


def state_of(store: BlobStore, job: Job) -> JobState:
    """The job's state, whatever it is."""
    return _status(store, job).state


def _status(store: BlobStore, job: Job) -> JobStatus:
    try:
        return read_status(store, job.id).status
    except NotFound:  # its producer was killed between the job record and the state
        return first_status(job, now=job.created)


def _standings(store: BlobStore, job: Job, asked: bytes) -> Standings:
    return read_standings(store, job.dataset, asked_tiles(asked), job.asked_count)


def _outcome(job: Job, state: JobState, asked: bytes, standings: Standings, *, end: int, new: int) -> Outcome:
    """Count the asked list against what is done."""
    done = done_in_reach = 0
    if standings.has_done:
        for position, tile in enumerate(asked_tiles(asked)):
            is_done = standings.is_done(tile)
            done += is_done
            done_in_reach += is_done and position < end
    return Outcome(
        job=job,
        state=state,
        new=new,
        done=done,
        queued=end - done_in_reach - new,
        held_back=job.asked_count - end - (done - done_in_reach),
    )
