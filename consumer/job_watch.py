"""What this worker knows of jobs: their records once, their states afresh every few seconds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput, GiveUp, NotFound, Stopped
from contract.job import Job, JobState, decode_job, decode_job_status

STATE_SECONDS = 15.0
"""How old a job's state may be: a pause or cancellation takes that long to reach everybody."""

SHORTEST_HIDDEN_SECONDS = 30
LONGEST_HIDDEN_SECONDS = 600
"""Bounds of how long a paused job's message stays out of the way."""


class JobHeld(Stopped):
    """The job is paused: its tiles wait in the queue, out of the way for so long."""

    def __init__(self, text: str, hidden_seconds: int) -> None:
        super().__init__(text)
        self.hidden_seconds = hidden_seconds


class JobCancelled(Stopped):
    """The job is cancelled: its messages end here, without a download."""


@dataclass(slots=True)
class _Seen:
    state: JobState
    at: float
    """time.monotonic() of the look."""
    since: datetime | None = None
    """By the store's clock; None where there is no record."""


class JobWatch:
    """Reads jobs for all threads of a worker."""

    def __init__(self, store: BlobStore, *, state_seconds: float = STATE_SECONDS) -> None:
        self._store = store
        self._state_seconds = state_seconds
        self._jobs: dict[str, Job] = {}
        self._states: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def job(self, job_id: str) -> Job:
        """The record; GiveUp when there is none, since nothing then says what the tile is for."""
        with self._lock:
            if job_id not in self._jobs:
                try:
                    self._jobs[job_id] = decode_job(self._store.read(artifact_names.job_record(job_id)).data)
                except NotFound as error:
                    raise GiveUp(f"there is no job {job_id}") from error
                except BadInput as error:
                    raise GiveUp(str(error)) from error
            return self._jobs[job_id]

    def state(self, job_id: str) -> JobState:
        """The state, at most a few seconds old."""
        return self._seen(job_id).state

    def hidden_seconds(self, job_id: str) -> int:
        """How long a message of the job, which is paused, stays out of the way now."""
        since = self._seen(job_id).since
        paused_seconds = (self._store.now() - since).total_seconds() if since else 0.0
        return hidden_seconds(paused_seconds)

    def check(self, job_id: str) -> None:
        """JobHeld or JobCancelled when nothing should be done for the job now."""
        state = self.state(job_id)
        if state is JobState.CANCELLED:
            raise JobCancelled(f"job {job_id} is cancelled")
        if state is JobState.PAUSED:
            raise JobHeld(f"job {job_id} is paused", self.hidden_seconds(job_id))

    def _seen(self, job_id: str) -> _Seen:
        with self._lock:
            seen = self._states.get(job_id)
            if seen is None or time.monotonic() - seen.at > self._state_seconds:
                seen = self._states[job_id] = self._look(job_id)
            return seen

    def _look(self, job_id: str) -> _Seen:
        try:
            blob = self._store.read(artifact_names.job_state(job_id))
            return _Seen(decode_job_status(blob.data).state, time.monotonic(), blob.info.modified)
        except NotFound:
            # The producer writes the state before the first message, so somebody removed it. Working on
            # costs money, dropping messages would lose tiles: work on.
            return _Seen(JobState.RUNNING, time.monotonic())
        except BadInput as error:
            raise GiveUp(str(error)) from error


def hidden_seconds(paused_seconds: float) -> int:
    """As long as the pause has lasted so far, within bounds: work on a job that is resumed soon goes on soon, and
    the messages of a long pause cost few requests."""
    return round(min(max(paused_seconds, SHORTEST_HIDDEN_SECONDS), LONGEST_HIDDEN_SECONDS))
