"""The threads beside a worker's pipeline: named, watched, and stopped in the order in which they were started.

One without which the work cannot go on ends its worker when it dies: leases that nobody renews are no leases. One
that only looks at something outside begins anew: a record there that nobody foresaw is met by all workers at once,
and must not end them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()

JOIN_SECONDS = 5.0
BEGIN_ANEW_SECONDS = 15.0

Body = Callable[[threading.Event], None]
"""Runs until the event is set."""


class SideThreads:
    """Those of one worker, which calls from one thread."""

    def __init__(
        self, on_death: Callable[[BaseException], None], *, begin_anew_seconds: float = BEGIN_ANEW_SECONDS
    ) -> None:
        """`on_death`: of a thread that the work needs."""
        self._on_death = on_death
        self._begin_anew_seconds = begin_anew_seconds
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

    def start_watch(self, name: str, body: Body, stop: threading.Event) -> threading.Thread:
        """A thread that looks at something outside; nobody waits for it, and it may fail as often as it likes."""

        def again_and_again(stop: threading.Event) -> None:
            while not stop.is_set():
                try:
                    body(stop)
                except Exception:
                    log.exception("a side thread died", thread=name, then="it begins anew")
                    stop.wait(self._begin_anew_seconds)
                else:
                    return

        return self.start_apart(name, again_and_again, stop)

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
