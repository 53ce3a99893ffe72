"""Download: is there anything left to do for this tile, and if so, its imagery into memory."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.checkpoints.keep import Checkpoints
from consumer.datasets import OpenDatasets
from consumer.job_watch import JobWatch
from consumer.prefetch import ByteBudget
from consumer.work import Stage, Work
from contract.blob_store import BlobStore
from contract.commit import Committed, read_commit


@dataclass(frozen=True, slots=True)
class DownloadStage:
    """Runs in several threads, so that inference never waits for the network."""

    store: BlobStore
    jobs: JobWatch
    datasets: OpenDatasets
    budget: ByteBudget
    checkpoints: Checkpoints

    def __call__(self, work: Work) -> None:
        work.enter(Stage.DOWNLOAD)
        if work.is_done_before:
            return
        message = work.message
        # Read the commit first: a tile that is done costs one read (design section 4).
        committed = read_commit(self.store, message.dataset, message.tile, message.generation)
        if committed is not None:
            note_commit(work, committed)
            return
        self.jobs.check(message.job)
        work.recipe = self.datasets.recipe(message, self.jobs.job(message.job).settings)
        work.plan = self.checkpoints.plan(work, work.recipe.plan(message.tile))
        work.leave(Stage.DOWNLOAD)
        self._reserve(work, work.plan.memory_bytes)
        work.enter(Stage.DOWNLOAD)
        work.downloaded = work.recipe.download(work.plan, work.report_progress)
        work.leave(Stage.DOWNLOAD)

    def _reserve(self, work: Work, wanted_bytes: int) -> None:
        """Wait for memory as a tile that was only received: waiting is no lack of progress."""
        work.enter(Stage.RECEIVED)
        if not self.budget.reserve(wanted_bytes, work.stop):
            work.check()
        work.reserved_bytes = wanted_bytes


def note_commit(work: Work, committed: Committed) -> None:
    """The tile is done: all that is left is to finish its publication and settle."""
    work.commit, work.is_done_before = committed.record, True
    work.is_published_before = committed.is_published
