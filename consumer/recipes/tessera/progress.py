"""How far an inference has come, and whether it should go on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from contract.errors import Stopped


class Progress:
    """Counts pixels of both sensors towards the whole, and gives way to a stop between parts of a batch.

    A part is an encoder layer or a time step at most: a batch may take seconds on one slow core.
    """

    def __init__(
        self,
        total: int = 0,
        report: Callable[[float], None] | None = None,
        stop: Event | None = None,
        *,
        done: int = 0,
    ) -> None:
        """`done`: pixels of the total that an earlier attempt went through."""
        self._total = max(total, 1)
        self._done = done
        self._report = report
        self._stop = stop

    def begin(self) -> None:
        """Report what an earlier attempt did, where it did something."""
        if self._done and self._report is not None:
            self._report(self._done / self._total)

    def done(self, _part: str) -> None:
        """Called after each part of the work; raises Stopped once the event is set."""
        if self._stop is not None and self._stop.is_set():
            raise Stopped(f"inference was asked to stop at {self._done / self._total:.0%} of the tile")

    def advance(self, pixels: int) -> None:
        """Called after each batch."""
        self._done += pixels
        if self._report is not None:
            self._report(min(self._done / self._total, 1.0))
        self.done("batch")
