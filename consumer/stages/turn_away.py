"""Turn away: messages that this worker ends or puts back before they become work, several at a time.

A cancelled job may have left a hundred thousand messages in front of everything else. Each costs its share of
a receive and one delete: no commit is read, nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from consumer.job_watch import JobCancelled, JobHeld, JobWatch
from consumer.outcome import returned
from consumer.report import Reporter
from contract import log_lines
from contract.errors import GiveUp, LeaseLost, StorageError
from contract.fleet_queues import FleetQueues
from contract.outcomes import Cause
from contract.tile_message import TileMessage
from contract.tile_queue import Received

log = structlog.get_logger()

PARALLEL_REQUESTS = 8
UNKNOWN_PAST_SECONDS = 30
"""How long a message waits whose past the storage would not tell."""


@dataclass(frozen=True, slots=True)
class Parting:
    """A message that goes without becoming work."""

    held: Received
    message: TileMessage
    hidden_seconds: int | None
    """How long it stays out of the way; None: it is deleted, since its job is cancelled."""
    reason: str = ""
    """For the ledger; empty when nothing happened that anybody would look up."""


@dataclass(frozen=True, slots=True)
class TurnAway:
    """Ends or puts back what is not to be worked on now. Nobody is charged."""

    queues: FleetQueues
    jobs: JobWatch
    reporter: Reporter

    def judge(self, held: Received, message: TileMessage) -> Parting | None:
        """How the message goes because of its job; None: it stays."""
        try:
            self.jobs.check(message.job)
        except JobCancelled as end:
            return Parting(held, message, None, str(end))
        except JobHeld as end:
            return Parting(held, message, end.hidden_seconds, str(end))
        except (StorageError, GiveUp):
            return None  # whoever downloads the tile looks again, and can say what is wrong
        return None

    def part(self, partings: Sequence[Parting]) -> None:
        """Carry them all out. Trouble with one message leaves that one to its lease."""
        if not partings:
            return
        with ThreadPoolExecutor(PARALLEL_REQUESTS, thread_name_prefix="turn-away") as pool:
            deleted = sum(pool.map(self._part, partings))
        if deleted:
            log.info(log_lines.CANCELLED_DELETED, count=deleted)

    def _part(self, parting: Parting) -> bool:
        """Whether the message was deleted."""
        try:
            if parting.hidden_seconds is None:
                self.queues.complete(parting.held)
                self.reporter.cancelled(parting.message)
                return True
            body = returned(parting.message).encode()
            self.queues.give_back(parting.held, body, parting.hidden_seconds)
        except LeaseLost as error:
            log.info(log_lines.LEASE_LOST, tile=parting.message.tile.name, reason=str(error))
            return False
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, tile=parting.message.tile.name, reason=str(error))
            return False
        if parting.reason:
            self._report_put_off(parting, parting.hidden_seconds)
        return False

    def _report_put_off(self, parting: Parting, hidden_seconds: int) -> None:
        self.reporter.put_off(parting.message, parting.reason, hidden_seconds)
        log.info(
            log_lines.TILE_RETURNED,
            tile=parting.message.tile.name,
            cause=Cause.HANDED_BACK.value,
            pause_seconds=hidden_seconds,
            reason=parting.reason,
        )
