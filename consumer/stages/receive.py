"""Receive: messages become work, foreign ones and hopeless ones become poison, whatever their bytes."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from consumer.lease import LeaseKeeper
from consumer.outcome import Delivery, Evidence, Poison, ended_in_silence, judge_delivery
from consumer.poison import poison_foreign, poison_tile
from consumer.recent_lines import RecentLines
from consumer.report import Reporter
from consumer.silence import gather_evidence
from consumer.stages.download import note_commit
from consumer.stages.turn_away import UNKNOWN_PAST_SECONDS, Parting, TurnAway
from consumer.work import Work
from contract import log_lines
from contract.blob_store import BlobStore
from contract.commit import Committed, read_commit
from contract.errors import BadInput, LeaseLost, StorageError
from contract.fleet_queues import FleetQueues
from contract.tile_message import NotOurs, TileMessage, decode_message
from contract.tile_queue import MAX_BATCH, Received

log = structlog.get_logger()


@dataclass(slots=True)
class ReceiveStage:
    """Takes messages off the queues. Called by one thread."""

    queues: FleetQueues
    store: BlobStore
    keeper: LeaseKeeper
    reporter: Reporter
    turn_away: TurnAway
    recent: RecentLines
    is_clearing: bool = False
    """The last receive brought only messages that were turned away: there may be many more of them, so the
    next one asks for a full batch, and is due at once."""

    def receive(self, count: int) -> list[Work]:
        """Up to `count` tiles to work on, each under a lease that is kept from now on.

        StorageError when the queues do not answer; trouble with one message leaves that one to its lease
        and takes nothing from the others.
        """
        asked = MAX_BATCH if self.is_clearing else count
        staying: list[tuple[Received, TileMessage]] = []
        partings: list[Parting] = []
        for held in self.queues.receive(asked, self.keeper.lease_seconds):
            message = self._decode(held)
            if message is None:
                continue
            parting = self.turn_away.judge(held, message)
            if parting is not None:
                partings.append(parting)
            else:
                staying.append((held, message))
        self.is_clearing = bool(partings) and not staying
        works = [self._accept(held, message) for held, message in staying[:count]]
        surplus = [Parting(held, message, 0) for held, message in staying[count:]]
        self.turn_away.part([*partings, *surplus])
        return [work for work in works if work is not None]

    def _decode(self, held: Received) -> TileMessage | None:
        """The message; None when it is none of ours, and went to poison instead."""
        try:
            return decode_message(held.body)
        except NotOurs as error:
            reason = str(error)
        try:
            name = poison_foreign(self.store, self.queues, held, reason)
        except Exception as error:  # noqa: BLE001 - the next worker meets the same message: it must end neither
            self._leave(error)
            return None
        self.reporter.foreign(name, reason)
        log.warning(log_lines.FOREIGN_MESSAGE, poison=name, reason=reason)
        return None

    def _accept(self, held: Received, message: TileMessage) -> Work | None:
        try:
            delivered = self._judge(held, message)
        except Exception as error:  # noqa: BLE001 - as above
            self._leave(error)
            return None
        if delivered is None:
            return None
        delivery, committed = delivered
        work = Work(
            message=delivery.message,
            held=held,
            is_solo=delivery.is_solo,
            on_stage_ended=self.reporter.stage_ended,
        )
        if committed is not None:
            note_commit(work, committed)
        self.keeper.hold(work)
        self.reporter.received(work)
        return work

    def _judge(self, held: Received, message: TileMessage) -> tuple[Delivery, Committed | None] | None:
        """How to run the message, and its tile's commit if that was looked up; None when the message was put
        off or went to poison instead."""
        evidence = Evidence()
        if ended_in_silence(message, held.delivery_count):
            # Most who vanish in silence had committed: then nobody needs to know why they did.
            if (committed := self._commit_of(message)) is not None:
                return Delivery(message, is_solo=False), committed
            try:
                evidence = gather_evidence(self.store, message)
            except StorageError as error:
                # Neither charged nor forgiven: the mark stays on it, and the next worker asks again.
                self.turn_away.part([Parting(held, message, UNKNOWN_PAST_SECONDS, str(error))])
                return None
        delivery = judge_delivery(message, held.delivery_count, evidence)
        if isinstance(delivery, Delivery):
            return delivery, None
        if (committed := self._commit_of(message)) is not None:
            return Delivery(delivery.message, is_solo=False), committed
        self._poison(held, delivery)
        return None

    def _poison(self, held: Received, poison: Poison) -> None:
        tile = poison.message.tile.name
        poison_tile(
            self.store,
            self.queues,
            held,
            poison.message,
            cause=poison.cause,
            reason=poison.reason,
            log_lines=self.recent.of_tile(tile),
        )
        self.reporter.poisoned(poison.message, poison.cause, poison.reason)
        log.error(log_lines.TILE_POISONED, tile=tile, reason=poison.reason)

    def _commit_of(self, message: TileMessage) -> Committed | None:
        """The tile's commit: with one its message needs nothing but to be settled."""
        try:
            return read_commit(self.store, message.dataset, message.tile, message.generation)
        except BadInput:
            return None

    def _leave(self, error: Exception) -> None:
        """Leave a message to its lease."""
        if isinstance(error, LeaseLost):
            log.info(log_lines.LEASE_LOST, reason=str(error))
        elif isinstance(error, StorageError):
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
        else:
            log.error(log_lines.TILE_RETURNED, reason="left to its lease", exc_info=error)
