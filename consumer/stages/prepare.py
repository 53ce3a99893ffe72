"""Prepare: everything on the CPU that inference should not wait for, in the thread that downloaded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from consumer.job_watch import JobWatch
from consumer.lease import LeaseKeeper
from consumer.work import Stage, Work


@dataclass(frozen=True, slots=True)
class PrepareStage:
    """Turns a download into a tile that is ready for inference."""

    jobs: JobWatch
    keeper: LeaseKeeper

    def __call__(self, work: Work) -> None:
        if work.is_done_before:
            return
        if work.recipe is None or work.plan is None:
            raise AssertionError("preparation follows the download")
        self.jobs.check(work.message.job)  # a download takes long enough for a person to change their mind
        if work.is_solo:
            # Charged before it can kill us, on the wire only: every end that we live to report writes
            # work.message over it, which takes the charge back.
            charged = replace(work.message, solo_deaths=work.message.solo_deaths + 1)
            self.keeper.renew_now(work, body=charged.encode())
        work.enter(Stage.PREPARE)
        work.prepared = work.recipe.prepare(work.plan, work.downloaded)
        work.downloaded = None  # the prepared tile has what it needs of it
        work.downloaded_bytes = work.prepared.downloaded_bytes
        work.leave(Stage.PREPARE)
        work.enter(Stage.READY)
