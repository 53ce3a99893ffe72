"""When a checkpoint is worth its upload: pure, from measured seconds."""

from __future__ import annotations


def expected_seconds(median_seconds: float | None, elapsed_seconds: float, gained: float) -> float | None:
    """What this tile's inference takes as a whole: from tiles before it, else from its own progress so far.

    `gained`: share of the tile done in those elapsed seconds. None while nothing is known.
    """
    if median_seconds is not None:
        return max(median_seconds, elapsed_seconds)
    return elapsed_seconds / gained if gained > 0 else None


def remaining_seconds(
    median_seconds: float | None, elapsed_seconds: float, *, progress: float, gained: float
) -> float:
    """Until the inference ends: from its own progress, else from tiles before it; 0 while nothing is known.

    `progress`: share of the tile that is done, what an earlier attempt did included; `gained`: without that.
    """
    if gained > 0:
        return elapsed_seconds * (1 - progress) / gained
    if median_seconds is None:
        return 0.0
    return max(0.0, (1 - progress) * median_seconds - elapsed_seconds)
