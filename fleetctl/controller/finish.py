"""Closes jobs that seem complete: `verify` first, in a thread, because a million tiles take minutes to list."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from contract.blob_store import BlobStore
from contract.errors import TilefleetError
from contract.job import JobState
from contract.job_store import read_job, read_status
from fleetctl.audit.verify import verify
from fleetctl.controller.hands import set_job_state

log = structlog.get_logger()

AGAIN_SECONDS = 900.0
"""After a verdict that was not "complete"; twice as long after each further one."""
LONGEST_AGAIN_SECONDS = 4 * 3600.0
INCOMPLETE = "job.incomplete:"
"""Front of an alert's key; the job follows."""
CONNECTIONS = 4

Said = Callable[[str, str], None]
"""Key of an alert, reason."""


class Finisher:
    """Verifies one job at a time. `finish` may be called as often as one likes."""

    def __init__(
        self,
        store: BlobStore,
        *,
        happened: Said,
        alert: Said,
        resolve: Said,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`happened`: said of a finished job, once unless we are killed meanwhile; `alert` and `resolve`: of one
        that is not what it seemed."""
        self._store = store
        self._happened = happened
        self._alert = alert
        self._resolve = resolve
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._not_before: dict[str, float] = {}
        self._refusals: dict[str, int] = {}

    def finish(self, job: str) -> None:
        """Have it verified, unless one is being verified or this one was lately; returns at once."""
        is_busy = self._thread is not None and self._thread.is_alive()
        if is_busy or self._clock() < self._not_before.get(job, float("-inf")):
            return
        self._thread = threading.Thread(target=self._finish, args=(job,), name="finish", daemon=True)
        self._thread.start()

    def wait(self, limit_seconds: float) -> None:
        """For the verdict that is being made."""
        if self._thread is not None:
            self._thread.join(limit_seconds)

    def _finish(self, job: str) -> None:
        try:
            self._judge(job)
        except (TilefleetError, ValueError) as error:
            self._put_off(job)
            log.warning("job not verified", job=job, reason=str(error))

    def _judge(self, job: str) -> None:
        verdict = verify(self._store, read_job(self._store, job), connections=CONNECTIONS).verdict
        key = f"{INCOMPLETE}{job}"
        if not verdict.is_complete:
            self._put_off(job)
            self._alert(
                key, f"every tile of {job} is accounted for, yet `fleetctl verify {job}` finds it incomplete"
            )
            return
        if read_status(self._store, job).status.state is not JobState.RUNNING:
            return
        reason = f"verified: {verdict.committed} of {verdict.asked} tiles are committed and whole"
        # Said before it is so: killed in between, our successor says it a second time, and not never.
        self._happened(f"job.finished:{job}", reason)
        if set_job_state(self._store, job, JobState.RUNNING, JobState.FINISHED, reason):
            self._resolve(key, "it is complete now")

    def _put_off(self, job: str) -> None:
        refusals = self._refusals.get(job, 0)
        self._refusals[job] = refusals + 1
        self._not_before[job] = self._clock() + min(AGAIN_SECONDS * 2**refusals, LONGEST_AGAIN_SECONDS)
