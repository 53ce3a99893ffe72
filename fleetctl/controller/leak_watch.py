"""Looks for leaks now and then, beside the ticks: three listings of everything are too much for each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import structlog

from contract.errors import TilefleetError

log = structlog.get_logger()

LOOK_SECONDS = 900.0
"""A leaked disk costs cents a day."""


class LeakWatch:
    """What two looks in a row found: what a machine that is being made or deleted needs is no leak."""

    def __init__(self, look: Callable[[], Iterable[str]]) -> None:
        self._look = look
        self._before: frozenset[str] = frozenset()
        self._found: tuple[str, ...] = ()
        self._stop = threading.Event()

    def __call__(self) -> tuple[str, ...]:
        return self._found

    def start(self) -> None:
        threading.Thread(target=self._run, name="leaks", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def look(self) -> None:
        """One look. A look that fails finds nothing, and forgets the one before."""
        try:
            found = frozenset(self._look())
        except TilefleetError as error:
            log.info("leaks not looked for", reason=str(error))
            found = frozenset()
        self._found = tuple(sorted(found & self._before))
        self._before = found

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(LOOK_SECONDS)
