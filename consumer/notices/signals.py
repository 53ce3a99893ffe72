"""SIGTERM and SIGINT as a reason to leave. The second signal ends the process at once."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from consumer.departure import Departure

EXIT_AT_ONCE = 130


class SignalNotice:
    """Set once the process was asked to go.

    Plain attributes and no threading.Event: a handler runs between any two instructions of the main thread,
    also inside another run of itself, and would wait for ever for a lock that its own thread holds.
    """

    def __init__(self) -> None:
        self.name = ""
        self.received_at: float | None = None
        """time.monotonic(); the time to leave counts from here, however late it is noticed."""

    @property
    def is_set(self) -> bool:
        return self.received_at is not None

    def departure(self, grace_seconds: float) -> Departure | None:
        """What the signal asks for; None while there was none."""
        if self.received_at is None:
            return None
        return Departure(self.name, self.received_at + grace_seconds, is_eviction=False)

    def install(self) -> None:
        """From the main thread only: Python delivers signals there."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.received_at is not None:
            os._exit(EXIT_AT_ONCE)
        self.name = signal.Signals(number).name
        self.received_at = time.monotonic()
