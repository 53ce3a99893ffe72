"""Receive: messages become work, foreign ones and hopeless ones become poison, whatever their bytes."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from consumer.lease import LeaseKeeper
from consumer.outcome import Delivery, judge_delivery
from consumer.poison import poison_foreign, poison_tile
from consumer.report import Reporter
from consumer.work import Work
from contract import log_lines
from contract.blob_store import BlobStore
from contract.commit import read_commit
from contract.errors import BadInput, LeaseLost, StorageError
from contract.fleet_queues import FleetQueues
from contract.tile_message import NotOurs, TileMessage, decode_message
from contract.tile_queue import Received

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ReceiveStage:
    """Takes messages off the queues."""

    queues: FleetQueues
    store: BlobStore
    keeper: LeaseKeeper
    reporter: Reporter

    def receive(self, count: int) -> list[Work]:
        """Up to `count` tiles to work on, each under a lease that is kept from now on.

        StorageError when the queues do not answer; trouble with one message leaves that one to its lease
        and takes nothing from the others.
        """
        works = [self._accept(held) for held in self.queues.receive(count, self.keeper.lease_seconds)]
        return [work for work in works if work is not None]

    def _accept(self, held: Received) -> Work | None:
        try:
            delivery = self._judge(held)
        except LeaseLost as error:
            log.info(log_lines.LEASE_LOST, reason=str(error))
            return None
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            return None
        if delivery is None:
            return None
        work = Work(
            message=delivery.message,
            held=held,
            is_solo=delivery.is_solo,
            on_stage_ended=self.reporter.stage_ended,
        )
        self.keeper.hold(work)
        self.reporter.received(work)
        return work

    def _judge(self, held: Received) -> Delivery | None:
        """How to run the message; None when it went to poison instead."""
        try:
            message = decode_message(held.body)
        except NotOurs as error:
            name = poison_foreign(self.store, self.queues, held, str(error))
            self.reporter.foreign(name, str(error))
            log.warning(log_lines.FOREIGN_MESSAGE, poison=name, reason=str(error))
            return None
        delivery = judge_delivery(message, held.delivery_count)
        if isinstance(delivery, Delivery):
            return delivery
        if self._is_committed(message):
            return Delivery(delivery.message, is_solo=False, reason="committed meanwhile: only to be settled")
        poison_tile(self.store, self.queues, held, message, cause=delivery.cause, reason=delivery.reason)
        self.reporter.poisoned(message, delivery.cause, delivery.reason)
        log.error(log_lines.TILE_POISONED, tile=message.tile.name, reason=delivery.reason)
        return None

    def _is_committed(self, message: TileMessage) -> bool:
        """Whether the tile is done: then its message is not the one that kills workers."""
        try:
            return read_commit(self.store, message.dataset, message.tile, message.generation) is not None
        except BadInput:
            return False
