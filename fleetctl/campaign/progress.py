"""How far a job is, how fast it goes, when it will be over: pure numbers.

Everything follows from what was asked and what is committed. Queue depth plays no part: it counts
duplicates and invisible messages, and says nothing about tiles that were done before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

RATE_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """One job at one moment. asked = committed + poison + left."""

    asked: int
    committed: int
    empty: int
    """Those of the committed that have no usable imagery."""
    poison: int
    """Given up, without a commit."""
    tiles_per_hour: float | None
    """Of the last hour, of a complete job the last hour of its work; None until two tiles say it."""
    seconds_left: float | None
    """At that rate; 0 when nothing is left, None when there is no rate."""

    @property
    def left(self) -> int:
        return self.asked - self.committed - self.poison

    @property
    def is_complete(self) -> bool:
        """Every asked tile is committed or explained."""
        return self.left <= 0


def measure_progress(
    *, asked: int, empty: int, poison: int, committed_at: Sequence[datetime], now: datetime
) -> Progress:
    """Progress of a job whose committed tiles (the empty ones included) were committed at these times."""
    left = asked - len(committed_at) - poison
    # Nothing is wrong with a complete job that commits nothing more.
    rate = tiles_per_hour(committed_at, max(committed_at, default=now) if left <= 0 else now)
    seconds_left: float | None = None
    if left <= 0:
        seconds_left = 0.0
    elif rate:
        seconds_left = left / rate * 3600
    return Progress(
        asked=asked,
        committed=len(committed_at),
        empty=empty,
        poison=poison,
        tiles_per_hour=rate,
        seconds_left=seconds_left,
    )


def tiles_per_hour(committed_at: Collection[datetime], now: datetime) -> float | None:
    """Commits per hour over the last hour, or over the time since the first one when that is shorter.

    A young job's first commit only starts its clock: n commits span n - 1 intervals. None when the
    window has too little in it to say.
    """
    if not committed_at:
        return None
    window_began = now - RATE_WINDOW
    recent = sum(1 for moment in committed_at if moment > window_began)
    first = min(committed_at)
    if first <= window_began:
        return recent / (RATE_WINDOW / timedelta(hours=1)) if recent else None
    elapsed_hours = (now - first) / timedelta(hours=1)
    if recent < 2 or elapsed_hours <= 0:
        return None
    return (recent - 1) / elapsed_hours
