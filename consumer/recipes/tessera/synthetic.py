"""A tile of made-up observations with the shape of a real year, for measuring how fast a model runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.cube import OPTICAL_CHANNELS, RADAR_CHANNELS, Cube

OPTICAL_DATES = 91
ASCENDING_DATES = 30
DESCENDING_DATES = 32
OPTICAL_SEEN = (65, 72)
"""Fewest and most clear dates of a pixel: a mid-latitude year. All are resampled to 72 rows."""
RADAR_SEEN = (57, 62)
"""Of both orbits together; all are resampled to 64 rows."""


def synthetic_cube(height: int, width: int, *, seed: int = 1) -> Cube:
    """Noise in every value; the same on every machine. Counts of observations vary as said above."""
    generator = np.random.Generator(np.random.PCG64(seed))
    radar_dates = ASCENDING_DATES + DESCENDING_DATES
    shape = (height, width)
    clear = _seen(generator, OPTICAL_DATES, shape, OPTICAL_SEEN)
    passes = generator.integers(1000, 7000, (radar_dates, *shape, len(RADAR_CHANNELS)), dtype=np.int16)
    passes[~_seen(generator, radar_dates, shape, RADAR_SEEN)] = 0
    bands = generator.integers(200, 6000, (OPTICAL_DATES, *shape, len(OPTICAL_CHANNELS)), dtype=np.uint16)
    return Cube(
        bands=bands,
        masks=clear.astype(np.uint8),
        doys=_days(OPTICAL_DATES).astype(np.uint16),
        sar_ascending=passes[:ASCENDING_DATES],
        sar_ascending_doy=_days(ASCENDING_DATES).astype(np.int16),
        sar_descending=passes[ASCENDING_DATES:],
        sar_descending_doy=_days(DESCENDING_DATES).astype(np.int16),
    )


def _days(count: int) -> NDArray[np.float64]:
    return np.linspace(2, 364, count).round()


def _seen(
    generator: Any, dates: int, shape: tuple[int, int], between: tuple[int, int]
) -> NDArray[np.bool_]:  # (T, H, W)
    """At random dates, at each pixel as many as drawn from the range."""
    counts = generator.integers(between[0], between[1] + 1, shape)
    ranks = generator.random((dates, *shape)).argsort(axis=0).argsort(axis=0)
    seen: NDArray[np.bool_] = ranks < counts
    return seen
