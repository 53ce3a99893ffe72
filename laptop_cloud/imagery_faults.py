"""A storage's bad days, from a seed: throttling, broken connections, answers that come late, tokens that end.

Which request is hit depends on the seed and on how many came before it, so that the same client in one
thread meets the same day again; with many threads the share is the same and the order is not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

TOKEN_PATH = "/_token"  # noqa: S105
"""`GET /_token/<account>/<container>` answers like Planetary Computer's sign endpoint."""


@dataclass(frozen=True)
class Faults:
    """How bad the day is. All zero: no faults at all."""

    throttle_percent: float = 0.0
    """Requests answered with 429 or 503, in turn, with Retry-After."""
    retry_after_seconds: float = 0.05
    cut_percent: float = 0.0
    """Requests whose answer ends in its middle."""
    late_ms: float = 0.0
    """Answers come up to so much later, at random."""
    token_seconds: float = 0.0
    """Files are served only with a token, which lives so long; 0: to everybody."""
    seed: int = 0


@dataclass(frozen=True)
class Fate:
    """What happens to one request."""

    late_seconds: float = 0.0
    status: int | None = None
    """Refused so; None: answered."""
    is_cut: bool = False


class Day:
    """Deals out fates and tokens."""

    def __init__(self, faults: Faults, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970, as in the tokens."""
        self._usual = faults
        self._clock = clock
        self.become(faults)

    def become(self, faults: Faults, seconds: float = float("inf")) -> None:
        """Another day from now on, for so many seconds."""
        self.faults = faults
        self._random = random.Random(faults.seed)
        self._ends = self._clock() + seconds

    def fate(self, token: str | None) -> Fate:
        """Of a request for a file that carries `token`."""
        if self._clock() >= self._ends:
            self.become(self._usual)
        faults = self.faults
        late = self._random.random() * faults.late_ms / 1000
        lot = self._random.random() * 100
        if faults.token_seconds and not self._is_good(token):
            return Fate(late, status=403)
        if lot < faults.throttle_percent:
            return Fate(late, status=429 if lot * 2 < faults.throttle_percent else 503)
        return Fate(late, is_cut=lot < faults.throttle_percent + faults.cut_percent)

    def token(self) -> tuple[str, float]:
        """A new token, and when it ends in seconds since 1970."""
        ends = self._clock() + self.faults.token_seconds
        return f"sig={ends:.3f}", ends

    def _is_good(self, token: str | None) -> bool:
        try:
            return float(token or "") > self._clock()
        except ValueError:
            return False
