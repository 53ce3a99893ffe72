"""Do downloads and inference fit together? Four signs, four verdicts, and what to change. Pure.

Too many downloads for the GPUs: errors, long waits, busy GPUs. Slightly too many: the same without the errors.
Too few: quick tiles, and GPUs that wait. Balanced: busy GPUs, quick tiles, no errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from contract.heartbeat import Heartbeat

MANY_ERRORS = 0.05
"""Share of attempts that ended without a result."""
MANY_WAIT = 2.0
"""Tiles per worker that are ready and wait for inference: one is what keeps it fed, more only wait."""
BUSY_PERCENT = 85.0
READY = "ready"
"""The stage of a tile that waits for inference, as heartbeats call it."""
FEWEST_ATTEMPTS = 10
"""Fewer say nothing."""


class Balance(StrEnum):
    """Verdicts."""

    OVERLOADED = "far more tiles at a time than inference takes"
    CROWDED = "somewhat more tiles at a time than inference takes"
    STARVED = "inference waits for tiles"
    BALANCED = "downloads and inference fit together"
    UNCLEAR = "too little has happened to say"


@dataclass(frozen=True, slots=True)
class Signs:
    """Of the last minutes."""

    workers: int
    """That hold tiles."""
    attempts: int
    error_share: float
    """0..1, evictions and drains not counted."""
    ready_per_worker: float
    """Tiles that are prepared and wait for inference: the longer they wait, the longer a tile takes."""
    busy_percent: float
    """GPU, or CPU where there is none; the mean of live workers."""


CHANGES = {
    Balance.OVERLOADED: "halve TILEFLEET_CONSUMER_MOST_TILES, or add machines: what waits too long fails",
    Balance.CROWDED: "lower TILEFLEET_CONSUMER_MOST_TILES by one, or add machines: results come no slower",
    Balance.STARVED: "raise TILEFLEET_CONSUMER_MOST_TILES, or take fewer slots per machine or smaller machines",
}
"""What to do about the verdicts that call for something."""


def signs_of(live: Sequence[Heartbeat], *, attempts: int, done: int) -> Signs:
    """From the heartbeats of live workers, and how many attempts ended and came to a result."""
    busy = [
        beat.cpu_percent if beat.gpu_percent is None else beat.gpu_percent for beat in live if beat.held_count
    ]
    ready = sum(held.stage == READY for beat in live for held in beat.tiles)
    return Signs(
        workers=len(busy),
        attempts=attempts,
        error_share=1 - done / attempts if attempts else 0.0,
        ready_per_worker=ready / len(live) if live else 0.0,
        busy_percent=sum(busy) / len(busy) if busy else 0.0,
    )


def judge(signs: Signs) -> Balance:
    """Errors with idle GPUs are not of this kind: then the source or the tiles are to blame, and more load is wrong."""
    if not signs.workers or signs.attempts < FEWEST_ATTEMPTS:
        return Balance.UNCLEAR
    is_busy, is_slow = signs.busy_percent >= BUSY_PERCENT, signs.ready_per_worker >= MANY_WAIT
    has_errors = signs.error_share >= MANY_ERRORS
    if is_busy and is_slow:
        return Balance.OVERLOADED if has_errors else Balance.CROWDED
    if is_busy and not has_errors:
        return Balance.BALANCED
    if not is_busy and not has_errors and not is_slow:
        return Balance.STARVED
    return Balance.UNCLEAR
