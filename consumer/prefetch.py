"""How many tiles to hold, from measured stage times and bytes: keep the inference thread fed, no more.

Pure but for ByteBudget, which makes download threads wait until their tile's memory is free.
"""

from __future__ import annotations

import math
import statistics
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

FIRST_GUESS = 2
"""Tiles in flight before anything was measured: one to infer, one to fetch meanwhile."""
FEWEST = 2
MOST = 32
KEPT_TILES = 15
"""Measured tiles that count: long enough to be steady, short enough to follow a change of region."""
SLACK = 0.02
"""Share by which the ratio may exceed a whole number before one more tile is held."""


def tiles_in_flight(outside_seconds: float, infer_seconds: float, *, most: int = MOST) -> int:
    """How many tiles keep inference busy: ceil((outside + infer) / infer).

    While one tile is inferred the others spend `outside_seconds` in download, preparation, upload
    and settling; every `infer_seconds` one of them must be ready.
    """
    if infer_seconds <= 0:
        return most
    ratio = (outside_seconds + infer_seconds) / infer_seconds
    return max(FEWEST, min(most, math.ceil(ratio - SLACK)))


@dataclass
class StageTimes:
    """Seconds of the last tiles: outside inference, and in it."""

    outside: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TILES))
    infer: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TILES))

    def add(self, *, outside_seconds: float, infer_seconds: float) -> None:
        self.outside.append(outside_seconds)
        self.infer.append(infer_seconds)

    def wanted(self, *, most: int) -> int:
        """Tiles to hold now. Medians: one slow scene server or one tile of sea must not swing it."""
        if not self.infer:
            return min(FIRST_GUESS, most)
        return tiles_in_flight(statistics.median(self.outside), statistics.median(self.infer), most=most)


def stage_limit_seconds(measured: Sequence[float], *, floor_seconds: float, factor: float = 5.0) -> float:
    """How long a stage may show no progress: `factor` times the 95th percentile of what it took before."""
    if len(measured) < 2:
        return floor_seconds
    percentile = statistics.quantiles(measured, n=20, method="inclusive")[-1]
    return max(floor_seconds, factor * percentile)


class ByteBudget:
    """Memory for prefetched tiles. `reserve` waits for room; a tile larger than everything runs alone."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._used_bytes = 0
        self._most_bytes = 0
        self._changed = threading.Condition()

    @property
    def used_bytes(self) -> int:
        return self._used_bytes

    @property
    def most_bytes(self) -> int:
        """The most that was ever reserved at once."""
        return self._most_bytes

    def reserve(self, wanted_bytes: int, stop: threading.Event) -> bool:
        """True once the bytes are ours; False when `stop` is set first."""
        with self._changed:
            while self._used_bytes and self._used_bytes + wanted_bytes > self.limit_bytes:
                if stop.is_set():
                    return False
                self._changed.wait(0.25)
            self._used_bytes += wanted_bytes
            self._most_bytes = max(self._most_bytes, self._used_bytes)
            return True

    def release(self, held_bytes: int) -> None:
        with self._changed:
            self._used_bytes -= held_bytes
            self._changed.notify_all()
