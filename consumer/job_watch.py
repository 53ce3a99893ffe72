"""What this worker knows of jobs: their records once, their states afresh every few seconds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput, GiveUp, NotFound, Stopped
from contract.job import Job, JobState, decode_job, decode_job_status

STATE_SECONDS = 15.0
"""How old a job's state may be: a pause or cancellation takes that long to reach everybody."""

PAUSED_JOB_SECONDS = 600
"""How long a paused job's message stays out of the way; resuming therefore takes that long at most."""


class JobHeld(Stopped):
    """The job is paused: its tiles wait in the queue."""


class JobCancelled(Stopped):
    """The job is cancelled: its messages end here, without a download."""


@dataclass(slots=True)
class _Seen:
    state: JobState
    at: float


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
        with self._lock:
            seen = self._states.get(job_id)
            if seen is None or time.monotonic() - seen.at > self._state_seconds:
                seen = _Seen(self._read_state(job_id), time.monotonic())
                self._states[job_id] = seen
            return seen.state

    def check(self, job_id: str) -> None:
        """JobHeld or JobCancelled when nothing should be done for the job now."""
        state = self.state(job_id)
        if state is JobState.CANCELLED:
            raise JobCancelled(f"job {job_id} is cancelled")
        if state is JobState.PAUSED:
            raise JobHeld(f"job {job_id} is paused")

    def _read_state(self, job_id: str) -> JobState:
        try:
            return decode_job_status(self._store.read(artifact_names.job_state(job_id)).data).state
        except NotFound:
            # The producer writes the state before the first message, so somebody removed it. Working on
            # costs money, dropping messages would lose tiles: work on.
            return JobState.RUNNING
        except BadInput as error:
            raise GiveUp(str(error)) from error
