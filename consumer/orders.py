"""Who may ask this process to go, and the one departure that stands: the main thread obeys it, and the last
resort sees to it when the main thread waits for somebody else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from consumer.departure import Departure, soonest
from consumer.leaving import HAND_BACK_SECONDS


class Orders:
    """Looks at every source of a reason to go. Any thread may call any method."""

    def __init__(self, sources: Sequence[Callable[[], Departure | None]]) -> None:
        """Each source tells what it heard so far, and must answer at once."""
        self._sources = sources
        self._standing: Departure | None = None
        self._latest_end: float | None = None
        self._lock = threading.Lock()

    def look(self) -> Departure | None:
        """The departure to obey now; once there is one, only a more urgent one takes its place."""
        return self._follow([source() for source in self._sources])

    def add(self, departure: Departure) -> Departure:
        """A reason of one's own. Returns the departure to obey."""
        return self._follow([departure]) or departure

    def latest_end(self) -> float | None:
        """time.monotonic() by which the process is to be gone; None while it may stay."""
        self.look()
        return self._latest_end

    def _follow(self, told: Sequence[Departure | None]) -> Departure | None:
        with self._lock:
            soonest_told = soonest([self._standing, *told])
            if soonest_told is not None and soonest_told != self._standing:
                self._standing = soonest_told
                self._latest_end = _end(soonest_told)
            return self._standing


def _end(departure: Departure) -> float | None:
    """However short the time: the leases are handed back first."""
    if departure.deadline is None:
        return None
    return max(departure.deadline, time.monotonic() + HAND_BACK_SECONDS)
