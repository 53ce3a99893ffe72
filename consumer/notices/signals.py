"""SIGTERM and SIGINT as a reason to leave. The second signal ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

EXIT_AT_ONCE = 130


class SignalNotice:
    """Set once the process was asked to go."""

    def __init__(self) -> None:
        self.is_set = threading.Event()
        self.name = ""

    def install(self) -> None:
        """From the main thread only: Python delivers signals there."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.is_set.is_set():
            os._exit(EXIT_AT_ONCE)
        self.name = signal.Signals(number).name
        self.is_set.set()
