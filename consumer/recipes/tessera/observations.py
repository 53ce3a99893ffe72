"""From a cube to a network's batches: each pixel's valid observations, sampled and normalised.

Work goes by blocks of rows, on the device that infers: a block's part of the cube is uploaded once and
gathered there. The two sensors meet only at the end of the network, so their pixels are grouped apart,
which makes fewer and fuller batches than grouping by the pair. Nothing here loops over pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.normalisation import ChannelStatistics, Statistics
from consumer.recipes.tessera.sampling import Indices, SamplingRule
from consumer.recipes.tessera.sequences import Sequences
from consumer.recipes.tessera.upload import upload


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of one length for some pixels of a block."""

    pixels: Indices
    """(P,) positions in the block, counted row by row."""
    sequences: Sequences
    """One per pixel, or a single one that all of them share."""


@dataclass(frozen=True, eq=False)
class Sensor:
    """All observations of one sensor over one block of P pixels and T dates. Tensors are on the device."""

    values: Tensor
    """(T * P, C) raw values, date by date, as int16; unsigned ones by the same bits."""
    is_unsigned: bool
    days: Tensor
    """(T,) int64"""
    mean: Tensor
    std: Tensor
    """(T, C) float32 each, or (1, C) where all dates share them: the orbits of Sentinel-1 do not."""
    counts: Indices
    """(P,) valid observations per pixel, on the host."""
    valid_dates: Tensor
    """int64 dates of the valid observations, pixel after pixel, ascending."""
    first_valid: Tensor
    """(P,) int64 where each pixel's part of valid_dates begins."""

    def batch(self, pixels: Indices, length: int, rule: SamplingRule, *, distinct: bool) -> Batch:
        """The sequences of these pixels, all seen at least once and of that target length.

        distinct: each observation is one row, however often it is repeated to reach the length.
        Otherwise every row is one time step.
        """
        counts = self.counts[pixels]
        steps = rule.position_table(counts, length)  # (B, T) which valid observation each step shows
        order = np.broadcast_to(np.arange(length), steps.shape)
        copies = None
        if distinct and counts.min() < length:
            steps, order = _distinct_rows(steps, counts)  # (B, R), (B, T)
            copies = self._count(order, rows=steps.shape[1])
        values, days = self._gather(pixels, self._on_device(steps))
        return Batch(pixels, Sequences(values, days, self._on_device(order), copies))

    def unseen(self, pixels: Indices, length: int, *, distinct: bool) -> Batch:
        """What the network gets for pixels without an observation: zeros, the same for all of them."""
        rows = 1 if distinct else length
        device = self.values.device
        order = np.zeros((1, length), dtype=np.int64) if distinct else np.arange(length)[np.newaxis]
        sequences = Sequences(
            values=torch.zeros((1, rows, self.values.shape[1]), device=device),
            days=torch.zeros((1, rows), dtype=torch.int64, device=device),
            order=self._on_device(order),
            copies=torch.full((1, 1), float(length), device=device) if distinct and length > 1 else None,
        )
        return Batch(pixels, sequences)

    def _gather(self, pixels: Indices, positions: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) pixels and (B, R) positions among each one's valid dates -> values (B, R, C), days (B, R)."""
        at = self._on_device(pixels)[:, None]  # (B, 1)
        chosen = self.valid_dates[self.first_valid[at] + positions].flatten()  # (B * R,) dates
        cells = chosen * len(self.counts) + at.expand_as(positions).flatten()
        raw = self.values.index_select(0, cells)  # (B * R, C)
        # Torch knows few operations on uint16; the bits of an int16 widened to int32 give the same.
        values = (raw.to(torch.int32).bitwise_and_(0xFFFF) if self.is_unsigned else raw).to(torch.float32)
        if len(self.mean) == 1:
            values.sub_(self.mean).div_(self.std)
        else:
            values.sub_(self.mean.index_select(0, chosen)).div_(self.std.index_select(0, chosen))
        return values.unflatten(0, positions.shape), self.days[chosen].view(positions.shape)

    def _count(self, order: NDArray[np.int64], *, rows: int) -> Tensor:
        """How many steps show each row: (B, T) -> (B, rows) float32."""
        steps = self._on_device(order)
        ones = torch.ones(steps.shape, device=steps.device)
        return torch.zeros((len(steps), rows), device=steps.device).scatter_add_(1, steps, ones)

    def _on_device(self, indices: NDArray[np.int64]) -> Tensor:
        return upload(indices, self.values.device)


def optical_sensor(cube: Cube, rows: slice, statistics: Statistics, device: torch.device) -> Sensor:
    """Sentinel-2 over a block: valid where the mask says so, whatever the values."""
    return _sensor(
        upload(cube.bands[:, rows].view(np.int16), device),
        valid=upload(cube.masks[:, rows], device) != 0,
        days=cube.doys,
        statistics=[(statistics.optical, 1)],
        is_unsigned=True,
    )


def radar_sensor(cube: Cube, rows: slice, statistics: Statistics, device: torch.device) -> Sensor:
    """Sentinel-1 over a block: valid where VV or VH is not 0; all ascending dates, then all descending."""
    passes = [upload(images[:, rows], device) for images in (cube.sar_ascending, cube.sar_descending)]
    values = torch.cat(passes)
    return _sensor(
        values,
        valid=(values != 0).any(dim=-1),
        days=np.concatenate([cube.sar_ascending_doy, cube.sar_descending_doy]),
        statistics=[(statistics.ascending, len(passes[0])), (statistics.descending, len(passes[1]))],
        is_unsigned=False,
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
    sensor: Sensor,
    pixels: Indices,
    rule: SamplingRule,
    batch_pixels: Callable[[int], int],
    *,
    distinct: bool,
) -> Iterator[Batch]:
    """Every given pixel once, in batches of one length; `batch_pixels(length)` bounds their size.

    Within a length, pixels are ordered by their number of observations, so that a batch of distinct
    rows has few to fill up.
    """
    counts = sensor.counts[pixels]
    unseen = pixels[counts == 0]
    if len(unseen):
        yield sensor.unseen(unseen, rule.empty_length, distinct=distinct)
    ordered = pixels[np.argsort(counts, kind="stable")][len(unseen) :]
    lengths = rule.target_lengths(sensor.counts[ordered])
    for length in np.unique(lengths).tolist():
        group = ordered[lengths == length]
        size = batch_pixels(length)
        for start in range(0, len(group), size):
            yield sensor.batch(group[start : start + size], length, rule, distinct=distinct)


def _distinct_rows(
    steps: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps (B, T) over counts (B,) -> the observation of each row (B, R) and the row of each step (B, T).

    A pixel with no more observations than steps shows them all, so row r is its r-th one. Rows past its
    count fill up; they repeat the last and no step shows them. With more, each step is a row of its own.
    """
    length = steps.shape[1]
    is_whole = (counts <= length)[:, np.newaxis]  # (B, 1)
    rows = min(int(counts.max()), length)
    natural = np.minimum(np.arange(rows), counts[:, np.newaxis] - 1)  # (B, R)
    return np.where(is_whole, natural, steps[:, :rows]), np.where(is_whole, steps, np.arange(length))


def _sensor(
    values: Tensor,  # (T, rows, W, C) int16
    *,
    valid: Tensor,  # (T, rows, W) bool
    days: NDArray[np.integer[Any]],  # (T,)
    statistics: list[tuple[ChannelStatistics, int]],  # each with the number of rows it is wanted in
    is_unsigned: bool,
) -> Sensor:
    device = values.device
    dates, height, width, channels = values.shape
    by_pixel = valid.reshape(dates, height * width).t().contiguous()  # (P, T)
    counts = by_pixel.sum(dim=1)
    mean, std = (
        np.concatenate([np.tile(getattr(part, name), (rows, 1)) for part, rows in statistics])
        for name in ("mean", "std")
    )
    return Sensor(
        values=values.reshape(dates * height * width, channels),
        is_unsigned=is_unsigned,
        days=torch.from_numpy(days.astype(np.int64)).to(device),
        mean=torch.from_numpy(mean).to(device),
        std=torch.from_numpy(std).to(device),
        counts=counts.cpu().numpy(),
        valid_dates=by_pixel.nonzero()[:, 1].contiguous(),
        first_valid=counts.cumsum(0) - counts,
    )
