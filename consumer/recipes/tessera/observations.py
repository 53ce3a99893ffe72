"""From a cube to a network's batches: each pixel's valid observations, sampled and normalised.

Work goes by blocks of rows. The two sensors meet only at the end of the network, so their pixels are
grouped apart: each pixel joins the batch of its Sentinel-2 length and that of its Sentinel-1 length,
which makes fewer and fuller batches than grouping by the pair. Nothing here loops over pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.normalisation import ChannelStatistics, Statistics
from consumer.recipes.tessera.sampling import Indices, SamplingRule


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of one length for some pixels of a block, ready for a backbone."""

    pixels: Indices
    """(B,) positions in the block, counted row by row."""
    values: NDArray[np.float32]
    """(B, T, C) normalised; all 0 for a pixel without observations."""
    days: Indices
    """(B, T) day of the year; 0 for a pixel without observations."""


@dataclass(frozen=True, eq=False)
class Sensor:
    """All observations of one sensor over one block of P pixels and T dates."""

    values: NDArray[np.integer]
    """(T * P, C) raw values, date by date."""
    days: Indices
    """(T,)"""
    date_mean: NDArray[np.float32]
    date_std: NDArray[np.float32]
    """(T, C) each: the two orbits of Sentinel-1 differ, and a sequence holds both."""
    counts: Indices
    """(P,) valid observations per pixel."""
    valid_dates: NDArray[np.int32]
    """Dates of the valid observations, pixel after pixel, ascending; one spare 0 at the end."""
    first_valid: Indices
    """(P,) where each pixel's part of valid_dates begins."""

    def batch(self, pixels: Indices, length: int, rule: SamplingRule) -> Batch:
        """The sequences of these pixels, all of which have that target length."""
        counts = self.counts[pixels]
        if not len(self.days):
            return self._empty_batch(pixels, length)
        positions = rule.position_table(counts, length)  # (B, T)
        dates = self.valid_dates[self.first_valid[pixels][:, np.newaxis] + positions]  # (B, T)
        flat = dates * np.int64(len(self.counts)) + pixels[:, np.newaxis]
        values = self.values[flat].astype(np.float32)  # (B, T, C)
        values -= self.date_mean[dates]
        values /= self.date_std[dates]
        days = self.days[dates]
        values[counts == 0] = 0
        days[counts == 0] = 0
        return Batch(pixels, values, days)

    def _empty_batch(self, pixels: Indices, length: int) -> Batch:
        channels = self.values.shape[1]
        return Batch(
            pixels,
            values=np.zeros((len(pixels), length, channels), dtype=np.float32),
            days=np.zeros((len(pixels), length), dtype=np.int64),
        )


def optical_sensor(cube: Cube, rows: slice, statistics: Statistics) -> Sensor:
    """Sentinel-2 over a block: valid where the mask says so, whatever the values."""
    return _sensor(
        cube.bands[:, rows],
        valid=cube.masks[:, rows] != 0,
        days=cube.doys,
        by_date=[(statistics.optical, len(cube.doys))],
    )


def radar_sensor(cube: Cube, rows: slice, statistics: Statistics) -> Sensor:
    """Sentinel-1 over a block: valid where VV or VH is not 0; all ascending dates, then all descending."""
    values = np.concatenate([cube.sar_ascending[:, rows], cube.sar_descending[:, rows]])
    return _sensor(
        values,
        valid=(values != 0).any(axis=-1),
        days=np.concatenate([cube.sar_ascending_doy, cube.sar_descending_doy]),
        by_date=[
            (statistics.ascending, len(cube.sar_ascending_doy)),
            (statistics.descending, len(cube.sar_descending_doy)),
        ],
    )


def target_lengths(sensor: Sensor, rule: SamplingRule) -> Indices:
    """(P,) the sequence length of each pixel of the block."""
    return rule.target_lengths(sensor.counts)


def encoded_pixels(optical: Sensor, radar: Sensor, land: NDArray[np.bool_], rule: SamplingRule) -> Indices:
    """Positions of the block's pixels that get a result: on land (P,), and seen if the model needs that."""
    wanted = land
    if not rule.pixel_may_be_empty:
        wanted = land & ((optical.counts > 0) | (radar.counts > 0))
    return np.flatnonzero(wanted)


def batches(
    sensor: Sensor, pixels: Indices, rule: SamplingRule, batch_pixels: Callable[[int], int]
) -> Iterator[Batch]:
    """Every given pixel once, in batches of one length; `batch_pixels(length)` bounds their size."""
    lengths = target_lengths(sensor, rule)[pixels]
    for length in np.unique(lengths).tolist():
        group = pixels[lengths == length]
        size = batch_pixels(length)
        for start in range(0, len(group), size):
            yield sensor.batch(group[start : start + size], length, rule)


def _sensor(
    values: NDArray[np.integer],  # (T, rows, W, C)
    *,
    valid: NDArray[np.bool_],  # (T, rows, W)
    days: NDArray[np.integer],  # (T,)
    by_date: list[tuple[ChannelStatistics, int]],
) -> Sensor:
    dates, height, width, channels = values.shape
    pixel_count = height * width
    by_pixel = np.ascontiguousarray(valid.reshape(dates, pixel_count).T)  # (P, T)
    counts = by_pixel.sum(axis=1, dtype=np.int64)
    return Sensor(
        values=np.ascontiguousarray(values).reshape(dates * pixel_count, channels),
        days=days.astype(np.int64),
        date_mean=np.concatenate([np.tile(part.mean, (number, 1)) for part, number in by_date]),
        date_std=np.concatenate([np.tile(part.std, (number, 1)) for part, number in by_date]),
        counts=counts,
        valid_dates=np.append(np.nonzero(by_pixel)[1], 0).astype(np.int32),
        first_valid=np.cumsum(counts) - counts,
    )
