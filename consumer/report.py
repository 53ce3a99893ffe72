"""What a worker tells others: ledger lines when something happens, a heartbeat every few seconds.

Nothing here holds the work up or ends it: while the storage is away, lines wait in the ledger's bounded buffer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from consumer.lease import LeaseKeeper
from consumer.load import LoadMeter
from consumer.outcome import Return
from consumer.prefetch import ByteBudget
from consumer.work import Stage, Work
from contract import ledger_events, log_lines
from contract.blob_store import BlobStore
from contract.commit import CommitRecord
from contract.errors import StorageError
from contract.heartbeat import Heartbeat, HeldTile, WorkerState, write_heartbeat
from contract.ledger import LedgerWriter
from contract.outcomes import Cause
from contract.tile_message import TileMessage

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reports."""

    worker: str
    vm: str
    boot_id: str
    started: str
    """UTC, ISO 8601."""


class Reporter:
    """The ledger and the heartbeat of one worker. Any thread may report; one thread sends."""

    def __init__(
        self,
        store: BlobStore,
        ledger: LedgerWriter,
        identity: Identity,
        *,
        keeper: LeaseKeeper,
        budget: ByteBudget,
        meter: LoadMeter,
        ledger_seconds: float,
        heartbeat_seconds: float,
        why_leaving: Callable[[], tuple[WorkerState | None, str]],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._identity = identity
        self._keeper = keeper
        self._budget = budget
        self._meter = meter
        self._ledger_seconds = ledger_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._why_leaving = why_leaving
        self._last_error = ""
        self._wake = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """The thread's body; the last flush and heartbeat come after `stop`."""
        self._ledger.write(ledger_events.WORKER_STARTED)
        next_heartbeat = 0.0
        while not stop.is_set():
            if time.monotonic() >= next_heartbeat:
                self._send(self._heartbeat)
                next_heartbeat = time.monotonic() + self._heartbeat_seconds
            self._send(self._ledger.flush)
            self._wake.wait(min(self._ledger_seconds, self._heartbeat_seconds))
            self._wake.clear()
        state, reason = self._why_leaving()
        if state is WorkerState.UNFIT:
            self._ledger.write(ledger_events.WORKER_UNFIT, reason=reason)
        self._ledger.write(ledger_events.WORKER_LEFT, reason=reason)
        self._send(self._heartbeat)
        self._send(self._ledger.flush)

    def wake(self) -> None:
        """Send now."""
        self._wake.set()

    def received(self, work: Work) -> None:
        self._ledger.write(
            ledger_events.TILE_RECEIVED,
            **_tile(work.message),
            attempt=work.attempt,
            delivery_count=work.held.delivery_count if work.held else 0,
            queue=work.held.queue_name if work.held else "",
            # What is held against the tile so far: who dies in silence cannot tell, the next one can.
            tries={cause.value: count for cause, count in work.message.tries.items()},
        )

    def second_attempt(self, work: Work, number: int, reason: str) -> None:
        """An attempt beside the message's holder begins."""
        self._ledger.write(
            ledger_events.SECOND_ATTEMPT,
            **_tile(work.message),
            attempt=work.attempt,
            number=number,
            reason=reason[:500],
        )

    def second_attempt_ended(self, work: Work, reason: str) -> None:
        """It came to nothing."""
        self._ledger.write(
            ledger_events.SECOND_ATTEMPT_ENDED,
            **_tile(work.message),
            attempt=work.attempt,
            reason=reason[:500],
            stage=work.stage.value,
            seconds={stage.value: round(seconds, 3) for stage, seconds in dict(work.seconds).items()},
        )

    def stage_ended(self, work: Work, stage: Stage, seconds: float) -> None:
        """One stage of one attempt; the tile's other facts are in its first and last line."""
        moved_bytes = {Stage.PREPARE: work.downloaded_bytes, Stage.UPLOAD: work.uploaded_bytes}
        self._ledger.write(
            ledger_events.STAGE_ENDED,
            tile=work.tile_name,
            attempt=work.attempt,
            stage=stage.value,
            seconds=round(seconds, 3),
            **({"bytes": moved_bytes[stage]} if stage in moved_bytes else {}),
        )

    def checkpoint_saved(self, work: Work, blocks: int, length: int, seconds: float) -> None:
        """What another attempt may go on from: so many finished blocks of the tile."""
        self._ledger.write(
            ledger_events.CHECKPOINT_SAVED,
            **_tile(work.message),
            attempt=work.attempt,
            blocks=blocks,
            bytes=length,
            seconds=round(seconds, 3),
        )

    def settled(self, work: Work, standing: CommitRecord) -> None:
        """A tile is committed, by us or by somebody before us. Only the winner's line is a `done` line."""
        if standing.attempt == work.attempt:
            self._ledger.write(ledger_events.DONE, **standing.done)
        else:
            self._ledger.write(
                ledger_events.RETURNED,
                **_tile(work.message),
                attempt=work.attempt,
                cause="done_already",
                reason=f"committed by attempt {standing.attempt}",
            )

    def superseded(self, work: Work, reason: str) -> None:
        """The generation that this message asks for was revoked: there is nothing to do for it."""
        self._ledger.write(
            ledger_events.RETURNED,
            **_tile(work.message),
            attempt=work.attempt,
            cause="superseded",
            reason=reason,
        )

    def returned(self, work: Work, decision: Return) -> None:
        """An attempt ended without a result."""
        self._last_error = (
            f"{work.tile_name}: {decision.reason}" if decision.cause in _TROUBLE else self._last_error
        )
        self._ledger.write(
            ledger_events.RETURNED,
            **_tile(work.message),
            attempt=work.attempt,
            cause=decision.cause.value,
            reason=decision.reason[:500],
            stage=work.stage.value,
            # A copy: whoever hands a tile back does so while its own thread may end a stage.
            seconds={stage.value: round(seconds, 3) for stage, seconds in dict(work.seconds).items()},
            not_before=_from_now(decision.pause_seconds),
        )

    def put_off(self, message: TileMessage, reason: str, pause_seconds: int) -> None:
        """A message went back for a while before it became work."""
        self._ledger.write(
            ledger_events.RETURNED,
            **_tile(message),
            cause=Cause.HANDED_BACK.value,
            reason=reason[:500],
            not_before=_from_now(pause_seconds),
        )

    def evicted(self, reason: str) -> None:
        """This worker leaves because its machine goes away."""
        self._ledger.write(ledger_events.EVICTION_NOTICE, reason=reason[:500])

    def poisoned(self, message: TileMessage, cause: Cause, reason: str) -> None:
        """A tile was given up. Where it harmed workers they are named: it was the tile, test them again."""
        self._last_error = f"{message.tile.name}: {reason}"
        harmed = {"harmed_workers": list(message.harmed)} if cause is Cause.WORKER else {}
        self._ledger.write(
            ledger_events.POISONED, **_tile(message), cause=cause.value, reason=reason[:500], **harmed
        )

    def foreign(self, name: str, reason: str) -> None:
        self._ledger.write(ledger_events.POISONED, poison=name, cause="foreign", reason=reason[:500])

    def cancelled(self, message: TileMessage) -> None:
        """A message of a cancelled job is gone."""
        self._ledger.write(ledger_events.CANCELLED, **_tile(message))

    def _send(self, step: Callable[[], None]) -> None:
        try:
            step()
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
        except Exception:
            log.exception(log_lines.STORAGE_TROUBLE, reason="a report could not be made, the work goes on")

    def _heartbeat(self) -> None:
        load = self._meter.look()
        held = self._keeper.held()
        state, reason = self._why_leaving()
        write_heartbeat(
            self._store,
            Heartbeat(
                worker=self._identity.worker,
                vm=self._identity.vm,
                boot_id=self._identity.boot_id,
                started=self._identity.started,
                state=state or (WorkerState.WORKING if held else WorkerState.IDLE),
                tiles=tuple(_held_tile(work) for work in held),
                held_count=len(held),
                cpu_percent=load.cpu_percent,
                memory_bytes=load.memory_bytes,
                gpu_percent=load.gpu_percent,
                prefetched_bytes=self._budget.used_bytes,
                reason=reason,
                last_error=self._last_error,
            ),
        )


_TROUBLE = frozenset({Cause.SOURCE, Cause.TILE, Cause.WORKER})


def _from_now(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _tile(message: TileMessage) -> dict[str, object]:
    return {
        "job": message.job,
        "dataset": message.dataset,
        "tile": message.tile.name,
        "generation": message.generation,
    }


def _held_tile(work: Work) -> HeldTile:
    since = datetime.now(UTC) - timedelta(seconds=time.monotonic() - work.stage_began)
    return HeldTile(
        dataset=work.message.dataset,
        tile=work.tile_name,
        stage=work.stage.value,
        progress=round(work.progress, 3),
        since=since.isoformat(timespec="seconds"),
        job=work.message.job,
        generation=work.message.generation,
        is_solo=work.is_solo,
        is_second=work.is_second,
    )
