"""What a storage's answer means for a file, and how long to wait before asking again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 16.0
PATIENCE_SECONDS = 60.0
"""How long one request is repeated before the tile goes back to its queue, where minutes cost nothing."""
MAX_HEADER_SECONDS = 3600.0


class Verdict(StrEnum):
    """What an HTTP status says about the file behind it."""

    READABLE = "readable"
    MISSING = "missing"
    EXPIRED = "expired"
    """The token ended, or was never good."""
    THROTTLED = "throttled"
    """We are asked to slow down."""
    FAILING = "failing"
    """The storage is in trouble, slow or out of reach."""
    FOREIGN = "foreign"
    """Sent elsewhere, or refused for a reason that asking again will not change."""


_NAMED = {
    **dict.fromkeys((404, 410), Verdict.MISSING),
    **dict.fromkeys((401, 403), Verdict.EXPIRED),
    **dict.fromkeys((429, 503), Verdict.THROTTLED),  # Azure Blob and S3 throttle with 503
    **dict.fromkeys((408, 409, 425), Verdict.FAILING),
}


def judge(status: int | None) -> Verdict:
    """The meaning of an HTTP status; None stands for no answer, or one that broke off."""
    if status is None or status >= 500:
        return _NAMED.get(status or 0, Verdict.FAILING)
    if 200 <= status < 300:
        return Verdict.READABLE
    return _NAMED.get(status, Verdict.FOREIGN)


@dataclass(frozen=True, slots=True)
class Again:
    """Ask once more after a pause; `seconds` None: the patience is used up."""

    seconds: float | None


def next_try(
    attempt: int, waited_seconds: float, share: float, retry_after_seconds: float | None = None
) -> Again:
    """When to ask again after attempt 0, 1, 2 ..., having waited that long in total.

    The pause doubles and lies anywhere in the upper half of its step (`share`, 0..1), but is never
    shorter than what the storage itself asked for.
    """
    step = min(FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 16), LONGEST_PAUSE_SECONDS)
    seconds = max(step * (0.5 + 0.5 * share), retry_after_seconds or 0.0)
    return Again(None if waited_seconds + seconds > PATIENCE_SECONDS else seconds)


def read_retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header. A date there needs two clocks that agree: it counts as absent."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return min(max(seconds, 0.0), MAX_HEADER_SECONDS)  # NaN becomes the longest
