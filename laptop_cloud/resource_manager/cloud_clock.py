"""The cloud's own clock: the wall clock, or one that runs faster, so that ten minutes pass in a test's seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime


class CloudClock:
    """Seconds since 1970 as the cloud counts them. `speed` of them pass in one second of its clients."""

    def __init__(self, speed: float = 1.0, *, wall: Callable[[], float] = time.time) -> None:
        assert speed > 0, speed
        self.speed = speed
        self._wall = wall
        self._began = wall()
        self._origin = self._began

    def now(self) -> float:
        """In the cloud."""
        return self._origin + (self._wall() - self._began) * self.speed

    def go_on_from(self, moment: float) -> None:
        """After a restart: never earlier than what was said before."""
        self._origin = max(self._origin, moment)

    def client_seconds(self, cloud_seconds: float) -> int:
        """What a Retry-After says: whole seconds of whoever waits, at least one."""
        return max(1, math.ceil(cloud_seconds / self.speed))


def written(moment: float) -> str:
    """As Azure writes a time."""
    return datetime.fromtimestamp(moment, UTC).isoformat()
