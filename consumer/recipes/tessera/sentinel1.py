"""Sentinel-1 as Tessera's checkpoints expect it: decibels in 16 bits, one image per day and direction.

Pure functions on arrays, after Tessera's published preprocessing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Decibels = NDArray[np.int16]
"""(20 log10(x) + 50) x 200, truncated; 0 = missing."""

SHIFT_DECIBELS = 50.0
STEPS_PER_DECIBEL = 200.0
HIGHEST = 32767.0


def is_seen(backscatter: NDArray[np.floating]) -> Bools:
    """Whether each pixel holds a measurement: finite and above 0."""
    seen: Bools = np.isfinite(backscatter) & (backscatter > 0)
    return seen


def to_decibels(backscatter: NDArray[np.floating], land: Bools) -> Decibels:
    """The product's stored values as scaled decibels; 0 outside the land and where nothing was measured.

    The products store power, for which 10 would be the factor. Upstream takes them for amplitudes, and
    the checkpoints were trained on the result.
    """
    usable = is_seen(backscatter) & land
    decibels = np.zeros(backscatter.shape, dtype=np.int16)
    scaled = (20 * np.log10(backscatter[usable]) + SHIFT_DECIBELS) * STEPS_PER_DECIBEL
    decibels[usable] = np.clip(scaled, 0.0, HIGHEST).astype(np.int16)  # the cast truncates
    return decibels


def coverage_percent(backscatter: NDArray[np.floating], land: Bools) -> float:
    """Share of the land that the scene measured."""
    land_pixels = int(np.count_nonzero(land))
    return 100.0 * int(np.count_nonzero(is_seen(backscatter) & land)) / land_pixels if land_pixels else 0.0


def fill_gaps(mosaic: Decibels, decibels: Decibels) -> None:
    """Add a later scene of the same pass: the first that is not 0 stays."""
    np.copyto(mosaic, decibels, where=mosaic == 0)
