"""Randomness that belongs to places: the same seed and coordinates give the same value in any window.

Values come from hashes of coordinates and never from a running generator, and every step is computed
pixel by pixel, so that a scene cut out of a larger one equals the scene made for the cut alone, bit by bit.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float32]

# Multipliers and shifts of the SplitMix64 finaliser (Steele, Lea and Flood 2014).
_MULTIPLIER_A = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_B = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_UNIT_FROM_24_BITS = np.float32(2.0**-24)
# The mean of the summed squares of the four cubic B-spline weights: its autocorrelation at lag 0.
_SPLINE_ENERGY = 151 / 315
_UNIFORM_VARIANCE = 1 / 12


def seed_of(*parts: object) -> int:
    """A 63-bit seed from anything that prints the same everywhere (numbers, names, dates)."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def chance(*parts: object) -> float:
    """One number in [0, 1) for one named decision."""
    return seed_of(*parts) / 2.0**63


def uniform_at(seed: int, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Floats:
    """Values in [0, 1) at integer coordinates; `columns` (C,) and `rows` (R,) give (R, C)."""
    start = np.array([seed], dtype=np.uint64)
    across = _mix(columns.astype(np.uint64) * _GOLDEN + start)
    down = _mix(rows.astype(np.uint64) * _GOLDEN + ~start)
    mixed = _mix(across[None, :] ^ down[:, None])
    return (mixed >> np.uint64(40)).astype(np.float32) * _UNIT_FROM_24_BITS


def normal_at(seed: int, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Floats:
    """Standard normal values at integer coordinates, (R, C)."""
    halfway = _UNIT_FROM_24_BITS / 2  # keeps 0 away from ndtri, which answers it with -infinity
    normal: Floats = ndtri(uniform_at(seed, columns, rows) + halfway)
    return normal


def smooth_field(
    seed: int, xs: NDArray[np.float64], ys: NDArray[np.float64], *, wavelength: float, octaves: int = 4
) -> Floats:
    """A smooth random field of mean 0 and variance 1 at `xs` (C,) by `ys` (R,) metres, (R, C).

    Cubic B-splines over lattices of hashed values, each octave of half the wavelength (metres) and 0.55
    of the height of the one before.
    """
    total = np.zeros((ys.size, xs.size), dtype=np.float32)
    variance = 0.0
    for octave in range(octaves):
        height = 0.55**octave
        total += np.float32(height) * _spline_octave(seed_of(seed, octave), xs, ys, wavelength / 2**octave)
        variance += height**2 * _UNIFORM_VARIANCE * _SPLINE_ENERGY**2
    return total / np.float32(np.sqrt(variance))


def _spline_octave(seed: int, xs: NDArray[np.float64], ys: NDArray[np.float64], step: float) -> Floats:
    columns, across = _spline_weights(xs / step)
    rows, down = _spline_weights(ys / step)
    nodes_x = np.arange(columns.min() - 1, columns.max() + 3)
    nodes_y = np.arange(rows.min() - 1, rows.max() + 3)
    lattice = uniform_at(seed, nodes_x, nodes_y) - np.float32(0.5)
    first_x, first_y = columns - nodes_x[0] - 1, rows - nodes_y[0] - 1
    lines = sum(down[k][:, None] * lattice[first_y + k] for k in range(4))  # (R, nodes)
    assert isinstance(lines, np.ndarray)
    field = np.zeros((ys.size, xs.size), dtype=np.float32)
    for k in range(4):
        field += across[k] * lines[:, first_x + k]
    return field


def _spline_weights(places: NDArray[np.float64]) -> tuple[NDArray[np.int64], Floats]:
    """The lattice cell of each place and the weights (4, N) of the nodes at -1, 0, 1 and 2 from it."""
    cells = np.floor(places).astype(np.int64)
    t = places - cells
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    return cells, weights.astype(np.float32)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _MULTIPLIER_A
    values = (values ^ (values >> np.uint64(27))) * _MULTIPLIER_B
    return values ^ (values >> np.uint64(31))
