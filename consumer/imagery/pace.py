"""How many requests a host is sent at a time: more while that pays, half as many when it complains. Pure.

Additive increase, multiplicative decrease, as TCP finds its share of a line. What counts as paying is
the bytes per second of a whole round of answers, so that a disk or a decoder that is the bottleneck
does not make the number of connections grow without end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_LIMIT = 32
HIGHEST_LIMIT = 128
STEP = 4
"""Connections tried in addition, each time."""
WORTHWHILE_GAIN = 1.03
"""A round must move that many times the bytes per second of the one before for more to be tried."""
SHORTEST_ROUND_SECONDS = 1.0
FORGET_SECONDS = 60.0
"""The best rate seen is held against new rounds so long: hosts and lines change."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of one host."""

    limit: int = FIRST_LIMIT
    best_rate: float = 0.0
    """Bytes per second of the fastest round of late."""
    best_at: float = 0.0
    """When that round ended, seconds of any steady clock."""
    paused_until: float = 0.0
    """No request before then: the host named a time."""
    lowered_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Round:
    """What a number of answers in a row came to."""

    ended_at: float
    seconds: float
    answered_bytes: int
    was_full: bool
    """As many requests as allowed were under way at some moment: only then more can help."""


def after_round(pace: Pace, of: Round) -> Pace:
    """More connections if this round was full and faster than the best; else as many as before."""
    rate = of.answered_bytes / max(of.seconds, 1e-9)
    best_rate = 0.0 if of.ended_at - pace.best_at > FORGET_SECONDS else pace.best_rate
    is_faster = rate > best_rate * WORTHWHILE_GAIN
    limit = min(pace.limit + STEP, HIGHEST_LIMIT) if is_faster and of.was_full else pace.limit
    if rate <= best_rate:
        return replace(pace, limit=limit)
    return replace(pace, limit=limit, best_rate=rate, best_at=of.ended_at)


def after_complaint(
    pace: Pace, now: float, retry_after_seconds: float | None, seconds_under_way: float
) -> Pace:
    """Half as many, and none before the time that the host named.

    Requests sent before the limit was last lowered say nothing about the new one: `seconds_under_way`,
    how long ago this one was sent, tells them.
    """
    paused_until = max(pace.paused_until, now + (retry_after_seconds or 0.0))
    if now - seconds_under_way < pace.lowered_at:
        return replace(pace, paused_until=paused_until)
    return replace(
        pace, limit=max(pace.limit // 2, 1), best_rate=0.0, paused_until=paused_until, lowered_at=now
    )
