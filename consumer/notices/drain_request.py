"""An operator's `fleetctl drain`, heard through the storage: one small question with every third heartbeat."""

from __future__ import annotations

import threading

import structlog

from consumer.departure import DRAIN_REASON, Departure
from contract import log_lines
from contract.blob_store import BlobStore
from contract.drain import is_drain_requested
from contract.errors import StorageError

log = structlog.get_logger()

HEARTBEATS_PER_LOOK = 3
"""Nobody waits for a drain by the second, and a hundred workers ask day and night."""


class DrainRequest:
    """Looks whether this machine is to be drained, from a thread of the worker's."""

    def __init__(self, store: BlobStore, vm: str, heartbeat_seconds: float) -> None:
        self._store = store
        self._vm = vm
        self._pause_seconds = HEARTBEATS_PER_LOOK * heartbeat_seconds
        self._is_requested = False

    def look(self) -> Departure | None:
        """What was heard so far; asks nobody."""
        return Departure(DRAIN_REASON, None, is_eviction=False) if self._is_requested else None

    def run(self, stop: threading.Event) -> None:
        """The thread's body: the first look at once, so that a drained machine that starts takes little."""
        while not self._is_requested:
            try:
                self._is_requested = is_drain_requested(self._store, self._vm)
            except StorageError as error:
                log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            if stop.wait(self._pause_seconds):
                return
        stop.wait()
