"""How many observations of a pixel a model sees, and which ones.

A network takes rectangular batches, so n valid observations are resampled to one of a few lengths.
The two model families do it differently, and a checkpoint has only seen its own way: the indices
must be reproduced exactly, including that extras follow the originals out of time order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from consumer.recipes.tessera.models import Dimensions

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SamplingRule:
    """One family's rule, from a count of valid observations to the positions among them to use."""

    lengths: tuple[int, ...]
    """The sequence lengths on offer, ascending."""
    empty_length: int
    """Number of all-zero rows that stand for a sensor without any observation."""
    pixel_may_be_empty: bool
    """A pixel with no observation of either sensor is still encoded (from zeros)."""
    shrink: Callable[[int, int], Indices]
    """(count, length) with count > length -> positions (length,)"""
    extras: Callable[[int, int], Indices]
    """(count, how many) -> positions to repeat when there are fewer observations than wanted."""

    def target_lengths(self, counts: Indices) -> Indices:
        """Per pixel the smallest length on offer that holds its observations, else the greatest."""
        lengths = np.array(self.lengths, dtype=np.int64)
        slot = np.minimum(np.searchsorted(lengths, counts), len(lengths) - 1)
        return np.where(counts == 0, self.empty_length, lengths[slot])

    def positions(self, count: int, length: int) -> Indices:
        """Which of `count` observations fill a sequence of `length` rows; zeros if there are none."""
        if count == 0:
            return np.zeros(length, dtype=np.int64)
        if count > length:
            return self.shrink(count, length)
        return np.concatenate([np.arange(count), self.extras(count, length - count)])

    def position_table(self, counts: Indices, length: int) -> Indices:
        """Positions for a whole batch: counts (B,) -> (B, length)."""
        distinct, which = np.unique(counts, return_inverse=True)
        rows = [_cached_positions(self, int(count), length) for count in distinct]
        return np.stack(rows)[which]


def sampling_rule(dimensions: Dimensions) -> SamplingRule:
    """The rule of the model's family with the model's own sequence lengths."""
    if dimensions.family == "v1.1":
        return SamplingRule(
            dimensions.sequence_lengths,
            empty_length=dimensions.sequence_lengths[0],
            pixel_may_be_empty=True,
            shrink=_middle_of_chunks,
            extras=_evenly_between,
        )
    return SamplingRule(
        dimensions.sequence_lengths,
        empty_length=1,
        pixel_may_be_empty=False,
        shrink=_evenly_floored,
        extras=_middles_or_cycle,
    )


def _middle_of_chunks(count: int, length: int) -> Indices:
    """Cut 0..count-1 into consecutive chunks, the first ones one longer, and take each one's middle."""
    size, longer = divmod(count, length)
    sizes = np.full(length, size, dtype=np.int64)
    sizes[:longer] += 1
    return np.cumsum(sizes) - sizes + sizes // 2


def _evenly_between(count: int, extras: int) -> Indices:
    """Evenly spaced inside [0, count-1], ends left out, halves rounded to even."""
    points = np.linspace(0, count - 1, extras + 2, dtype=np.float64)[1:-1]
    return np.rint(points).astype(np.int64)


def _evenly_floored(count: int, length: int) -> Indices:
    """Evenly spaced from the first to exactly the last, rounded down."""
    return np.floor(np.linspace(0, count - 1, length, dtype=np.float64)).astype(np.int64)


def _middles_or_cycle(count: int, extras: int) -> Indices:
    if extras == 0:
        return np.zeros(0, dtype=np.int64)
    if extras <= count:
        return _middle_of_chunks(count, extras)
    return np.arange(extras, dtype=np.int64) % count


@cache
def _cached_positions(rule: SamplingRule, count: int, length: int) -> Indices:
    """A few hundred pairs occur in a tile, millions of times."""
    positions = rule.positions(count, length)
    positions.setflags(write=False)
    return positions
