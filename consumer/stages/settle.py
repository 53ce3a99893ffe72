"""Settle: the single place that ends our dealings with a message.

Order of effects, each a harmless repeat when a crash comes before the next:
artifacts uploaded (upload.py) -> lease renewed -> commit created -> published -> ledger line -> message deleted
-> staging cleared.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from consumer.lease import LeaseKeeper
from consumer.outcome import Decision, Drop, Poison, Return, describe, judge, moved
from consumer.patience import Patience
from consumer.poison import poison_tile
from consumer.prefetch import ByteBudget
from consumer.report import Reporter
from consumer.stages.download import JobCancelled, JobHeld
from consumer.work import Stage, Work
from contract import log_lines
from contract.blob_store import BlobStore
from contract.commit import CommitRecord, clear_staging, create_commit, publish
from contract.errors import Changed, LeaseLost, StorageError
from contract.fleet_queues import FleetQueues

log = structlog.get_logger()

PAUSED_JOB_SECONDS = 600
"""How long a paused job's message stays out of the way; resuming therefore takes that long at most."""


@dataclass(frozen=True, slots=True)
class SettleStage:
    """Runs in an upload thread, for every work, failed or not."""

    store: BlobStore
    queues: FleetQueues
    keeper: LeaseKeeper
    budget: ByteBudget
    reporter: Reporter
    patience: Patience
    worker: str
    is_evicted: threading.Event
    on_unfit: Callable[[str], None]
    on_settled: Callable[[Work], None]

    def __call__(self, work: Work) -> None:
        try:
            if not work.claim():
                return  # handed back while we worked: the worker is leaving
            self._settle(work)
        except LeaseLost as error:
            log.info(log_lines.LEASE_LOST, tile=work.tile_name, attempt=work.attempt, reason=str(error))
        except StorageError as error:
            # Nothing is lost: the lease runs out and the message comes back, to us or to somebody else.
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=describe(error))
        finally:
            self.keeper.release(work)
            self.budget.release(work.reserved_bytes)
            work.reserved_bytes, work.prepared, work.result = 0, None, None
            self.on_settled(work)

    def _settle(self, work: Work) -> None:
        if work.error is None:
            try:
                self._commit(work)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001 - judged like any other end of an attempt
                work.error = error
        if work.error is not None:
            self._end(work, work.error)

    def _commit(self, work: Work) -> None:
        work.enter(Stage.SETTLE)
        if work.commit is None:
            raise AssertionError("settling follows the upload")
        if not work.is_done_before:
            self.keeper.renew_now(work)
        try:
            standing = self.patience.call(lambda: self._publish(work), work)
        except Changed as error:
            # Revoked meanwhile: the newer generation has a message of its own.
            self.queues.complete(self.keeper.release(work))
            self.reporter.superseded(work, str(error))
            return
        work.leave(Stage.SETTLE)
        self.reporter.settled(work, standing)
        self.queues.complete(self.keeper.release(work))
        if not work.is_done_before:
            clear_staging(self.store, standing, work.attempt)
        log.info(
            log_lines.TILE_SETTLED,
            tile=work.tile_name,
            attempt=work.attempt,
            outcome=standing.outcome.value,
            committed_by=standing.attempt,
            seconds={stage.value: round(seconds, 2) for stage, seconds in work.seconds.items()},
        )

    def _publish(self, work: Work) -> CommitRecord:
        """The commit that stands for this tile now, published."""
        if work.commit is None:
            raise AssertionError("settling follows the upload")
        if work.is_published_before:
            return work.commit
        if work.is_done_before:
            return publish(self.store, work.commit)
        return publish(self.store, create_commit(self.store, work.commit).record)

    def _end(self, work: Work, error: BaseException) -> None:
        """Carry out what `outcome.judge` decides."""
        if isinstance(error, JobCancelled):
            self.queues.complete(self.keeper.release(work))
            self.reporter.cancelled(work)
            return
        decision = judge(
            error,
            work.reported_message,
            attempt=work.attempt,
            worker=self.worker,
            is_evicted=self.is_evicted.is_set(),
        )
        if isinstance(error, JobHeld) and isinstance(decision, Return):
            decision = replace(decision, pause_seconds=PAUSED_JOB_SECONDS)
        self._carry_out(work, decision)

    def _carry_out(self, work: Work, decision: Decision) -> None:
        held = self.keeper.release(work)
        if isinstance(decision, Drop):
            raise LeaseLost(decision.reason)
        if isinstance(decision, Poison):
            poison_tile(
                self.store, self.queues, held, decision.message, cause=decision.cause, reason=decision.reason
            )
            self.reporter.poisoned(work.message, decision.cause, decision.reason)
            log.error(log_lines.TILE_POISONED, tile=work.tile_name, reason=decision.reason)
        else:
            give_back(self.queues, work, decision)
            self.reporter.returned(work, decision)
            log.info(
                log_lines.TILE_RETURNED,
                tile=work.tile_name,
                attempt=work.attempt,
                cause=decision.cause.value,
                pause_seconds=decision.pause_seconds,
                reason=decision.reason,
            )
        if decision.worker_unfit:
            self.on_unfit(decision.worker_unfit)


def give_back(queues: FleetQueues, work: Work, decision: Return) -> None:
    """Put the message back as decided."""
    if decision.to_urgent:
        queues.move_to_urgent(
            work.held,
            body_if_left=decision.message.encode(),
            body_moved=moved(decision.message).encode(),
        )
    else:
        queues.give_back(work.held, decision.message.encode(), decision.pause_seconds)
