"""Prepare: everything on the CPU that inference should not wait for, in the thread that downloaded."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from consumer.checkpoints.keep import Checkpoints
from consumer.job_watch import JobWatch
from consumer.lease import LeaseKeeper
from consumer.outcome import begun
from consumer.report import Identity
from consumer.work import Stage, Work
from contract import log_lines
from contract.errors import StorageUnavailable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PrepareStage:
    """Turns a download into a tile that is ready for inference."""

    jobs: JobWatch
    keeper: LeaseKeeper
    identity: Identity
    checkpoints: Checkpoints

    def __call__(self, work: Work) -> None:
        if work.is_done_before:
            return
        if work.recipe is None or work.plan is None:
            raise AssertionError("preparation follows the download")
        self.jobs.check(work.message.job)  # a download takes long enough for a person to change their mind
        self._mark_begun(work)
        work.enter(Stage.PREPARE)
        work.prepared = work.recipe.prepare(work.plan, work.downloaded)
        work.downloaded = None  # the prepared tile has what it needs of it
        work.downloaded_bytes = work.prepared.downloaded_bytes
        self.checkpoints.restore(work)
        work.leave(Stage.PREPARE)
        work.enter(Stage.READY)

    def _mark_begun(self, work: Work) -> None:
        """Say on the message who begins, before the tile can kill us; the same update renews the lease.

        A suspect does not run without it. Any other tile does: a storage that is away for a moment is no
        reason to throw a download away, and the death that it would have told of goes uncharged.
        """
        marked = begun(
            work.message,
            attempt=work.attempt,
            worker=self.identity.worker,
            vm=self.identity.vm,
            boot_id=self.identity.boot_id,
            is_solo=work.is_solo,
        )
        try:
            self.keeper.renew_now(work, body=marked.encode())
        except StorageUnavailable as error:
            if work.is_solo:
                raise
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=str(error))
