"""How the answers of this cloud can be made worse than they are."""

from __future__ import annotations

import random

from laptop_cloud.resource_manager.cloud_clock import CloudClock


class Forgetfulness:
    """Power states that a listing leaves out now and then, as Azure's does."""

    def __init__(self, clock: CloudClock, seed: int) -> None:
        """The same seed forgets the same entries."""
        self._clock = clock
        self._chance = random.Random(seed)
        self._percent = 0.0
        self._until = 0.0

    def forget(self, percent: float, seconds: float) -> None:
        """So many of the entries, for so many seconds of the cloud."""
        self._percent, self._until = percent, self._clock.now() + seconds

    def forgets(self) -> bool:
        """Whether the next entry lacks its power state."""
        return self._clock.now() < self._until and self._chance.uniform(0, 100) < self._percent
