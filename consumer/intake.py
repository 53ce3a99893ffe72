"""How many tiles this worker may take while the controller has paused intake: none, or one at a time as a probe."""

from __future__ import annotations

import threading

import structlog

from contract import log_lines
from contract.blob_store import BlobStore
from contract.errors import StorageError
from contract.intake import IntakePause, read_intake_pause

log = structlog.get_logger()

LOOK_SECONDS = 15.0
"""A source that fails does so for hours; one small request by every worker."""


class IntakeWatch:
    """Looks in a thread of its own; any thread may ask."""

    def __init__(self, store: BlobStore, vm: str) -> None:
        self._store = store
        self._vm = vm
        self._pause: IntakePause | None = None

    def room(self, room: int, in_hand: int) -> int:
        """How many of `room` tiles to take, with so many in hand."""
        pause = self._pause
        if pause is None:
            return room
        return min(room, 1 - in_hand) if self._vm in pause.probes else 0

    def run(self, stop: threading.Event) -> None:
        """The thread's body; the first look at once. While the storage is away the last word stands."""
        while True:
            try:
                self.look()
            except StorageError as error:
                log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            if stop.wait(LOOK_SECONDS):
                return

    def look(self) -> None:
        """Ask whether intake is paused. StorageError."""
        pause = read_intake_pause(self._store)
        if (pause is None) != (self._pause is None):
            event = log_lines.INTAKE_RESUMED if pause is None else log_lines.INTAKE_PAUSED
            log.info(event, **({"reason": pause.reason} if pause else {}))
        self._pause = pause
