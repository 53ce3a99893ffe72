"""The threads beside a worker's pipeline: named, watched, and stopped in the order in which they were started."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()

JOIN_SECONDS = 5.0

Body = Callable[[threading.Event], None]
"""Runs until the event is set."""


class SideThreads:
    """One that dies ends its worker: leases that nobody renews are no leases."""

    def __init__(self, on_death: Callable[[BaseException], None]) -> None:
        self._on_death = on_death
        self._waited_for: list[tuple[threading.Thread, threading.Event]] = []

    def start(self, name: str, body: Body) -> None:
        """A thread that `stop` waits for."""
        stop = threading.Event()
        self._waited_for.append((self.start_apart(name, body, stop), stop))

    def start_apart(self, name: str, body: Body, stop: threading.Event) -> threading.Thread:
        """A thread that may hang in a driver or a storage: nobody has to wait for it."""
        thread = threading.Thread(target=self._watched, args=(body, stop), name=name, daemon=True)
        thread.start()
        return thread

    def stop(self, wake: Callable[[], None]) -> None:
        """End them one after the other, each woken from its pause; a few seconds for each."""
        for thread, stop in self._waited_for:
            stop.set()
            wake()
            thread.join(JOIN_SECONDS)

    def _watched(self, body: Body, stop: threading.Event) -> None:
        try:
            body(stop)
        except BaseException as error:
            log.exception("a side thread died", thread=threading.current_thread().name)
            self._on_death(error)
