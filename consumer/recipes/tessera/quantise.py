"""Embeddings as published: one int8 per dimension and one float32 scale per pixel.

A scale of 0 marks a pixel without a result; readers treat it as missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consumer.recipes.tessera.models import Family


def quantise(embedding: NDArray[np.float32], family: Family) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(N, D) finite floats -> int8 (N, D) and scales (N,), so that int8 * scale is near the float.

    The families guard all-zero pixels with different floors and clip differently; both stay as
    their reference writes them, though a result has never been seen to depend on it.
    """
    largest = np.abs(embedding).max(axis=1)
    if family == "v1.1":
        scales = np.maximum(largest / np.float32(127), np.float32(1e-8))
        lowest = -128
    else:
        scales = np.maximum(largest, np.float32(1e-12)) / np.float32(127)
        lowest = -127
    steps = np.rint(embedding / scales[:, np.newaxis])  # rounds halves to even
    return np.clip(steps, lowest, 127).astype(np.int8), scales


def dequantise(quantised: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """The floats that the integers stand for: (..., D) and (...) -> (..., D)."""
    return quantised.astype(np.float32) * scales[..., np.newaxis]
