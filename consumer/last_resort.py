"""The end that nothing can hold up: threads stuck in foreign code, a storage that swallows requests.

Leaving waits for threads and for answers, each wait bounded, but their sum may pass the deadline. And
Python's own end waits for every thread of every pool, including one that hangs in a download.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from contract import log_lines

log = structlog.get_logger()

POLL_SECONDS = 0.5


def end_process(code: int) -> None:
    """End this process now, without waiting for its threads."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


@dataclass(frozen=True, slots=True)
class LastResort:
    """A thread that ends the process when it should have left already."""

    deadline: Callable[[], float | None]
    """time.monotonic() by which the process is to be gone; None while nothing asks it to go."""
    end: Callable[[], None]

    def run(self, stop: threading.Event) -> None:
        """The thread's body."""
        while not stop.wait(POLL_SECONDS):
            deadline = self.deadline()
            if deadline is not None and time.monotonic() >= deadline:
                alive = sorted(thread.name for thread in threading.enumerate())
                log.error(log_lines.WORKER_ENDED, reason="leaving took too long", threads=alive)
                self.end()
                return
