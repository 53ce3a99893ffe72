"""The dead man's switch: an idle worker whose fleet has lost its controller ends its own machine's bill.

Shutting the system down would not: a machine that is only stopped is billed. So the machine deallocates itself
through Azure, with a token of its own identity, which needs no other right. It is done only when nobody on the
machine held a tile for long and no controller wrote its record for as long. The record tells more than the
leader's lease, which a controller that hangs goes on renewing, and a thousand idle workers may look at it.

The record also says from when on nothing of the fleet is to be paid for. A machine that is still there so long
after that moment lets itself go even with tiles in hand: they return to the queue, and are not charged for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from contract import log_lines
from contract.artifact_names import CONTROLLER_MEMORY, STOP_AFTER
from contract.blob_store import BlobInfo, BlobStore
from contract.errors import NotFound, StorageError
from contract.eviction import record_eviction
from contract.heartbeat import read_heartbeats

log = structlog.get_logger()

LOOK_SECONDS = 60.0
LOOKS_PER_GRACE = 3
"""At least: who has little patience looks more often."""
FRESH_SECONDS = 180.0
"""A heartbeat that is older says nothing about now."""


class Deallocate(Protocol):
    """Ends this machine's bill."""

    def __call__(self) -> None:
        """NoAnswer when the cloud did not take it; it is asked again."""
        ...


@dataclass
class DeadMan:
    """Looks once a minute or more often, in a thread of its own."""

    store: BlobStore
    vm: str
    boot_id: str
    idle_seconds: float
    """How long this worker must have held nothing, and the controller done nothing."""
    is_busy: Callable[[], bool]
    """Does this worker hold a tile?"""
    deallocate: Deallocate
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._busy_at = self.clock()

    def run(self, stop: threading.Event) -> None:
        """The thread's body."""
        while not stop.wait(min(LOOK_SECONDS, self.idle_seconds / LOOKS_PER_GRACE)):
            try:
                self.look()
            except StorageError as error:
                log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            except Exception as error:  # noqa: BLE001 - the cloud's answer, whatever it is: asked again
                log.warning(log_lines.DEAD_MAN_REFUSED, reason=str(error)[:300])

    def look(self) -> bool:
        """Whether the machine was let go now. StorageError; NoAnswer."""
        if self.is_busy():
            self._busy_at = self.clock()
        idle_seconds = self.clock() - self._busy_at
        try:
            record = self.store.info(CONTROLLER_MEMORY)
        except NotFound:
            return False  # where no controller ever was, none is missing: people started this worker
        if self._is_past_its_end(record):
            reason = "the fleet's stop_after is past"
            record_eviction(self.store, self.vm, self.boot_id, seen_by="dead man", reason=reason)
        elif (
            idle_seconds >= self.idle_seconds
            and self._has_lost_controller(record)
            and not self._has_busy_neighbour()
        ):
            reason = "idle, and the fleet has lost its controller"
        else:
            return False
        log.error(log_lines.DEAD_MAN, reason=reason, idle_seconds=round(idle_seconds))
        self.deallocate()
        return True

    def _has_lost_controller(self, record: BlobInfo) -> bool:
        """A controller writes its record at every tick."""
        return (self.store.now() - record.modified).total_seconds() >= self.idle_seconds

    def _is_past_its_end(self, record: BlobInfo) -> bool:
        """The controller drains the fleet at that moment; this is for when it does not."""
        stop_after = record.metadata.get(STOP_AFTER, "")
        return stop_after.isdigit() and self.store.now().timestamp() >= int(stop_after) + self.idle_seconds

    def _has_busy_neighbour(self) -> bool:
        """Another slot of this machine may hold a tile."""
        return any(
            seen.heartbeat.vm == self.vm
            and seen.heartbeat.held_count > 0
            and seen.age_seconds < FRESH_SECONDS
            for seen in read_heartbeats(self.store).seen
        )
