"""What the requests of one tile came to, and the way to end them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from consumer.imagery.answers import Verdict


class Tally:
    """Shared by all threads that read for one tile."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        """Once set, no request of the tile is begun or waited for any more."""
        self._lock = threading.Lock()
        self._requests = 0
        self._wire_bytes = 0
        self._again: Counter[Verdict] = Counter()

    def add(self, verdict: Verdict, body_bytes: int) -> None:
        """One request ended so."""
        with self._lock:
            self._requests += 1
            self._wire_bytes += body_bytes
            if verdict is not Verdict.READABLE:
                self._again[verdict] += 1

    @property
    def requests(self) -> int:
        return self._requests

    @property
    def wire_bytes(self) -> int:
        """Bytes of the bodies, as they travelled."""
        return self._wire_bytes

    @property
    def refusals(self) -> Mapping[str, int]:
        """Requests that were not answered with data, by verdict; most were repeated and then were."""
        with self._lock:
            return {str(verdict): count for verdict, count in sorted(self._again.items())}
