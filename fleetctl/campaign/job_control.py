"""Changing a job's state: a pure rule of what may follow what, and one write under the state's ETag."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from contract.blob_store import BlobStore
from contract.errors import BadInput, Changed, NotFound
from contract.job import Job, JobState, JobStatus
from contract.job_store import read_status, write_status

ATTEMPTS = 5
"""How often somebody else may change the state between our look and our write."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a person may do to a job."""

    verb: str
    to: JobState
    possible_from: frozenset[JobState]
    consequence: str
    """What happens now, for the person who typed it."""


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        change.verb: change
        for change in (
            Change(
                "approve",
                JobState.RUNNING,
                frozenset({JobState.CANARY}),
                "the rest of its tiles is put on the queue",
            ),
            Change(
                "pause",
                JobState.PAUSED,
                frozenset({JobState.RUNNING}),
                "workers finish what they infer and leave the rest in the queue",
            ),
            Change(
                "resume",
                JobState.RUNNING,
                frozenset({JobState.PAUSED}),
                "tiles that a worker has met meanwhile come back within the time that the pause took, or ten minutes",
            ),
            Change(
                "cancel",
                JobState.CANCELLED,
                frozenset({JobState.RUNNING, JobState.CANARY, JobState.PAUSED}),
                "its messages are dropped as workers meet them, without a download; what is committed stays",
            ),
        )
    }
)


def refusal(change: Change, state: JobState) -> str:
    """Why a job in `state` cannot be changed so; empty when it can, or is already there."""
    if state is change.to or state in change.possible_from:
        return ""
    wanted = " or ".join(sorted(possible.value for possible in change.possible_from))
    return f"it is {state.value}; only a job that is {wanted} can be changed so"


def change_job(store: BlobStore, job: Job, change: Change, *, reason: str, now: datetime) -> bool:
    """Carry a change out. False when the job was in that state already; BadInput when it may not be."""
    for _ in range(ATTEMPTS):
        stored = read_status(store, job.id)
        state = stored.status.state
        if why := refusal(change, state):
            raise BadInput(f"cannot {change.verb} {job.id}: {why}")
        if state is change.to:
            return False
        status = JobStatus(change.to, reason, now.isoformat(timespec="seconds"))
        try:
            write_status(store, job.id, status, if_etag=stored.etag)
        except Changed:
            continue
        return True
    raise BadInput(f"{job.id} is being changed by somebody else: look at `fleetctl status` and try again")


def reopen(store: BlobStore, job: Job, *, reason: str, now: datetime) -> None:
    """Let a finished job run again, because tiles of it are asked again; any other state stays."""
    with suppress(NotFound, Changed):
        stored = read_status(store, job.id)
        if stored.status.state is JobState.FINISHED:
            status = JobStatus(JobState.RUNNING, reason, now.isoformat(timespec="seconds"))
            write_status(store, job.id, status, if_etag=stored.etag)
