"""What is in hand of a job that was cancelled meanwhile: stopped, so that nobody pays for it to its end.

It also makes room: a worker full of hour-long tiles receives nothing, and so could not clear the job's messages.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consumer.job_watch import STATE_SECONDS, JobCancelled, JobWatch
from consumer.work import Stage, Work
from contract.errors import GiveUp, StorageError
from contract.job import JobState

NEARLY_DONE = frozenset({Stage.INFERRED, Stage.UPLOAD, Stage.SETTLE})
"""What is paid for already is kept."""


@dataclass(frozen=True, slots=True)
class CancelledWork:
    """Looks in a thread of its own, which may wait for a storage without holding anything up."""

    jobs: JobWatch
    in_hand: Callable[[], Iterable[Work]]

    def run(self, stop: threading.Event) -> None:
        """The thread's body."""
        while not stop.wait(STATE_SECONDS):
            self.end_cancelled()

    def end_cancelled(self) -> None:
        """Ask every attempt whose job is cancelled to end at its next boundary."""
        for work in self.in_hand():
            if work.stage not in NEARLY_DONE and self._is_cancelled(work.message.job):
                work.end_early(JobCancelled(f"job {work.message.job} is cancelled"))

    def _is_cancelled(self, job: str) -> bool:
        try:
            return self.jobs.state(job) is JobState.CANCELLED
        except (StorageError, GiveUp):
            return False  # unknown: work on
