"""Settle: the single place that ends our dealings with a message.

Order of effects, each a harmless repeat when a crash comes before the next:
artifacts uploaded (upload.py) -> lease renewed -> commit created -> published -> ledger line -> message deleted
-> staging cleared.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from consumer.blame import classify, describe
from consumer.checkpoints.keep import Checkpoints
from consumer.job_watch import JobCancelled, JobHeld
from consumer.lease import LeaseKeeper
from consumer.outcome import Decision, Drop, Poison, Return, judge, moved
from consumer.patience import Patience
from consumer.poison import poison_tile
from consumer.prefetch import ByteBudget
from consumer.recent_lines import RecentLines
from consumer.report import Reporter
from consumer.stages.download import note_commit
from consumer.work import Stage, Work
from contract import log_lines
from contract.blob_store import BlobStore
from contract.commit import CommitRecord, clear_staging, create_commit, publish, read_commit
from contract.errors import (
    Changed,
    GiveUp,
    LeaseLost,
    NotFound,
    Stopped,
    StorageError,
    StorageUnavailable,
    TilefleetError,
)
from contract.fleet_queues import FleetQueues
from contract.outcomes import Cause

log = structlog.get_logger()

_INTERRUPTED = frozenset({Cause.EVICTED, Cause.HANDED_BACK})
"""Ends of an attempt that are nobody's fault: what it has finished is worth keeping."""


@dataclass(frozen=True, slots=True)
class SettleStage:
    """Runs in an upload thread, for every work, failed or not."""

    store: BlobStore
    queues: FleetQueues
    keeper: LeaseKeeper
    budget: ByteBudget
    checkpoints: Checkpoints
    reporter: Reporter
    recent: RecentLines
    patience: Patience
    worker: str
    is_evicted: threading.Event
    on_unfit: Callable[[str], None]
    on_settled: Callable[[Work], None]

    def __call__(self, work: Work) -> None:
        try:
            if work.claim():  # else it was handed back while we worked: the worker is leaving
                self._settle(work)
        except LeaseLost as error:
            log.info(log_lines.LEASE_LOST, tile=work.tile_name, attempt=work.attempt, reason=str(error))
            if work.commit is not None and not work.is_done_before:
                # Its own uploads are all that a late attempt may touch, and only if another one is committed.
                self._clear_staging(work, work.commit)
            self.checkpoints.clear_if_late(work)
        except StorageError as error:
            # Nothing is lost: the lease runs out and the message comes back, to us or to somebody else.
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=describe(error))
        except Exception:
            # The same, but a fault of ours. It counts as a silent death of the tile, so that it ends.
            log.exception(log_lines.TILE_RETURNED, tile=work.tile_name, attempt=work.attempt)
        finally:
            self.keeper.release(work)
            work.downloaded, work.prepared, work.result = None, None, None
            freed_bytes, work.reserved_bytes = work.reserved_bytes, 0
            self.budget.release(freed_bytes)
            self.on_settled(work)

    def _settle(self, work: Work) -> None:
        if isinstance(work.error, NotFound):
            self._forgive_if_done(work)
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
        if not work.is_done_before:
            self._renew(work)
        try:
            standing = self.patience.call(lambda: self._publish(work), work)
        except Changed as error:
            # Revoked meanwhile: the newer generation has a message of its own.
            self.reporter.superseded(work, str(error))
            self._complete(work)
            self.checkpoints.clear(work)
            return
        work.leave(Stage.SETTLE)
        self.reporter.settled(work, standing)
        self._complete(work)
        if not work.is_published_before:
            self._clear_staging(work, standing)
        self.checkpoints.clear(work)
        log.info(
            log_lines.TILE_SETTLED,
            tile=work.tile_name,
            attempt=work.attempt,
            outcome=standing.outcome.value,
            committed_by=standing.attempt,
            seconds={stage.value: round(seconds, 2) for stage, seconds in work.seconds.items()},
        )

    def _forgive_if_done(self, work: Work) -> None:
        """Who commits a tile clears the uploads of all its attempts, also under one that is still uploading. That
        one's trouble is no failure of any source: the tile is done."""
        message = work.message
        committed = read_commit(self.store, message.dataset, message.tile, message.generation)
        if committed is not None:
            work.error = None
            note_commit(work, committed)
            self._clear_staging(work, committed.record)

    def _renew(self, work: Work) -> None:
        """Look once more whether the tile is ours. A storage that is away here is no reason to drop a result:
        the commit is the fence, and it waits for the storage."""
        try:
            self.keeper.renew_now(work)
        except StorageUnavailable as error:
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=describe(error))

    def _publish(self, work: Work) -> CommitRecord:
        """The commit that stands for this tile now, published."""
        if work.commit is None:
            raise AssertionError("settling follows the upload")
        if work.is_published_before:
            return work.commit
        if work.is_done_before:
            return publish(self.store, work.commit)
        return publish(self.store, create_commit(self.store, work.commit).record)

    def _complete(self, work: Work) -> None:
        """Delete the message of a tile that needs nothing more. Where that fails the message comes back, and
        whoever gets it finds the commit: no reason to call the tile unfinished."""
        try:
            if (held := self.keeper.release(work)) is not None:
                self.queues.complete(held)
        except LeaseLost as error:
            log.info(log_lines.LEASE_LOST, tile=work.tile_name, attempt=work.attempt, reason=str(error))
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=describe(error))

    def _clear_staging(self, work: Work, standing: CommitRecord) -> None:
        try:
            clear_staging(self.store, standing, work.attempt)
        except StorageError as error:  # the lifecycle rule on staging gets what is left
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=describe(error))

    def _end(self, work: Work, error: BaseException) -> None:
        """Carry out what `outcome.judge` decides."""
        error = work.ended_by(error)
        if work.is_second:
            self._end_second(work, error)
            return
        if isinstance(error, JobCancelled):
            self.reporter.cancelled(work.message)
            self._complete(work)
            return
        if type(error) is Stopped and not work.stop.is_set():
            error = GiveUp(f"the recipe stopped without being asked to: {error}")
        decision = judge(
            error,
            work.message,
            attempt=work.attempt,
            worker=self.worker,
            is_evicted=self.is_evicted.is_set(),
            is_opened=work.recipe is not None,
        )
        if isinstance(error, JobHeld) and isinstance(decision, Return):
            decision = replace(decision, pause_seconds=error.hidden_seconds, to_urgent=False)
        if isinstance(decision, Return) and decision.cause in _INTERRUPTED:
            # While the lease is still renewed, and before anybody can see the message that hints at it.
            decision = replace(decision, message=self.checkpoints.hand_over(work, decision.message))
        self._carry_out(work, decision, error)

    def _end_second(self, work: Work, error: BaseException) -> None:
        """Charge nobody and return nothing: the tile is still its holder's. What it says about us counts."""
        if classify(error) is Cause.WORKER:
            self.on_unfit(describe(error))
            self.checkpoints.distrust(work)
        self.checkpoints.clear_if_late(work)
        self.reporter.second_attempt_ended(work, describe(error))
        log.info(
            log_lines.SECOND_ATTEMPT, tile=work.tile_name, attempt=work.attempt, ended_by=describe(error)
        )

    def _carry_out(self, work: Work, decision: Decision, error: BaseException) -> None:
        held = self.keeper.release(work)
        if held is None:
            raise AssertionError("a second attempt ends without a message")
        if isinstance(decision, Drop):
            raise LeaseLost(decision.reason)
        if decision.worker_unfit:
            self.on_unfit(decision.worker_unfit)  # before any request: a storage that is away changes nothing
            self.checkpoints.distrust(work)
        trace = unexpected_trace(error)
        exc_info = error if trace else None
        if isinstance(decision, Poison):
            poison_tile(
                self.store,
                self.queues,
                held,
                decision.message,
                cause=decision.cause,
                reason=decision.reason,
                log_lines=[*self.recent.of_tile(work.tile_name), *trace],
            )
            self.reporter.poisoned(decision.message, decision.cause, decision.reason)
            log.error(log_lines.TILE_POISONED, tile=work.tile_name, reason=decision.reason, exc_info=exc_info)
            return
        give_back(self.queues, work, decision)
        self.reporter.returned(work, decision)
        log.info(
            log_lines.TILE_RETURNED,
            tile=work.tile_name,
            attempt=work.attempt,
            cause=decision.cause.value,
            pause_seconds=decision.pause_seconds,
            reason=decision.reason,
            exc_info=exc_info,
        )


def give_back(queues: FleetQueues, work: Work, decision: Return) -> None:
    """Put the message back as decided."""
    if work.held is None:
        raise AssertionError("a second attempt has nothing to give back")
    if decision.to_urgent:
        queues.move_to_urgent(
            work.held,
            body_if_left=decision.message.encode(),
            body_moved=moved(decision.message).encode(),
        )
    else:
        queues.give_back(work.held, decision.message.encode(), decision.pause_seconds)


def unexpected_trace(error: BaseException) -> list[str]:
    """Where an error that is none of ours was raised, for the log and the poison entry; else nothing."""
    if isinstance(error, TilefleetError):
        return []
    return "".join(traceback.format_exception(error)).splitlines()
