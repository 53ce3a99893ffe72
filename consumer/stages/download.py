"""Download: is there anything left to do for this tile, and if so, its imagery into memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from consumer.datasets import OpenDatasets
from consumer.job_watch import JobWatch
from consumer.lease import LeaseKeeper
from consumer.prefetch import ByteBudget
from consumer.work import Stage, Work
from contract.blob_store import BlobStore
from contract.commit import read_commit
from contract.errors import Stopped
from contract.job import JobState


class JobHeld(Stopped):
    """The job is paused: its tiles wait in the queue."""


class JobCancelled(Stopped):
    """The job is cancelled: its messages end here, without a download."""


@dataclass(frozen=True, slots=True)
class DownloadStage:
    """Runs in several threads, so that inference never waits for the network."""

    store: BlobStore
    jobs: JobWatch
    datasets: OpenDatasets
    budget: ByteBudget
    keeper: LeaseKeeper

    def __call__(self, work: Work) -> None:
        work.enter(Stage.DOWNLOAD)
        message = work.message
        # Read the commit first: a tile that is done costs one read (design section 4).
        committed = read_commit(self.store, message.dataset, message.tile, message.generation)
        if committed is not None:
            work.commit, work.is_done_before = committed.record, True
            work.is_published_before = committed.is_published
            return
        self._check_job(message.job)
        work.recipe = self.datasets.recipe(message, self.jobs.job(message.job).settings)
        work.plan = work.recipe.plan(message.tile)
        work.leave(Stage.DOWNLOAD)
        self._reserve(work, work.plan.memory_bytes)
        work.enter(Stage.DOWNLOAD)
        downloaded = work.recipe.download(work.plan, work.report_progress)
        work.leave(Stage.DOWNLOAD)
        self._check_job(message.job)  # a download takes long enough for a person to change their mind
        self._prepare(work, downloaded)

    def _check_job(self, job_id: str) -> None:
        state = self.jobs.state(job_id)
        if state is JobState.CANCELLED:
            raise JobCancelled(f"job {job_id} is cancelled")
        if state is JobState.PAUSED:
            raise JobHeld(f"job {job_id} is paused")

    def _reserve(self, work: Work, wanted_bytes: int) -> None:
        """Wait for memory as a tile that was only received: waiting is no lack of progress."""
        work.enter(Stage.RECEIVED)
        if not self.budget.reserve(wanted_bytes, work.stop):
            work.check()
        work.reserved_bytes = wanted_bytes

    def _prepare(self, work: Work, downloaded: Any) -> None:
        if work.recipe is None or work.plan is None:
            raise AssertionError("prepare runs after plan")
        if work.is_solo:
            # Charged before it can kill us, on the wire only: every end that we live to report writes
            # work.message over it, which takes the charge back.
            charged = replace(work.message, solo_deaths=work.message.solo_deaths + 1)
            self.keeper.renew_now(work, body=charged.encode())
        work.enter(Stage.PREPARE)
        work.prepared = work.recipe.prepare(work.plan, downloaded)
        work.downloaded_bytes = work.prepared.downloaded_bytes
        work.leave(Stage.PREPARE)
        work.enter(Stage.READY)
