"""The door to the network: a cube goes in, an embedding per pixel comes out.

Work goes block by block of rows, and no batch crosses a block, so a block's bytes depend on nothing
but the cube, the weights, the device class, the dtype and the engine's batch size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from consumer.checkpoints.blocks import Blocks
from consumer.imagery.cube import Cube
from consumer.recipes.tessera.ahead import prepared_ahead
from consumer.recipes.tessera.batch_size import CPU_BLOCK_PIXELS, batch_size_for
from consumer.recipes.tessera.block_buffers import buffers_of, without_restored
from consumer.recipes.tessera.cuda_graphs import GraphedBackbone
from consumer.recipes.tessera.device import device_named, naming_device_faults, products_type
from consumer.recipes.tessera.fast_network import Encoder, FastNetwork, PlainNetwork, Runner
from consumer.recipes.tessera.network import build_network
from consumer.recipes.tessera.normalisation import statistics_for
from consumer.recipes.tessera.observations import (
    Batch,
    Sensor,
    batches,
    encoded_pixels,
    optical_sensor,
    radar_sensor,
    target_lengths,
)
from consumer.recipes.tessera.packed import Packer
from consumer.recipes.tessera.progress import Progress
from consumer.recipes.tessera.quantise import quantise
from consumer.recipes.tessera.sampling import Indices, sampling_rule
from consumer.recipes.tessera.upload import upload
from consumer.recipes.tessera.weights import Weights
from contract.errors import BadInput, GiveUp, WorkerUnfit

Dtype = Literal["fp32", "bf16"]

REDUCE_PIXELS = 4_096
"""Pixels that go through the reducer at a time: its inner layer is 4 D wide."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """The result for some rows of a tile, D saved dimensions per pixel."""

    quantised: NDArray[np.int8]
    """(H, W, D)"""
    scales: NDArray[np.float32]
    """(H, W); 0 = no result there: not on land, or nothing seen."""
    floats: NDArray[np.float32] | None = None
    """(H, W, R) before rounding, every dimension of the network, where asked for."""


class Engine:
    """One model on one device. Not for use by several threads at once."""

    def __init__(
        self,
        weights: Weights,
        *,
        data_source: str = "mpc",
        device: str = "cpu",
        dtype: Dtype = "fp32",
        batch_pixels: int | None = None,
        threads: int | None = None,
        is_plain: bool = False,
    ) -> None:
        """Put the network on the device.

        threads: sets the number of torch's threads in this process, if given.
        batch_pixels: pixels in a batch whatever its length; without it a batch is filled by tokens.
        is_plain: run the network as it is defined, slowly and in float32, to compare with.
        """
        if weights.data_source not in (None, data_source):
            raise BadInput(
                f"these weights were trained on {weights.data_source} imagery, not on {data_source}: "
                f"use the checkpoint made for {data_source}"
            )
        if dtype not in get_args(Dtype):
            raise BadInput(f"there is no number type {dtype!r}: choose {' or '.join(get_args(Dtype))}")
        for name, number in (("threads", threads), ("batch_pixels", batch_pixels)):
            if number is not None and number < 1:
                raise BadInput(f"{name} is {number}, expected 1 or more")
        if threads is not None:
            torch.set_num_threads(threads)
        self.weights = weights
        self.device = device_named(device)
        self.dtype: Dtype = dtype
        self._fixed_batch_pixels = batch_pixels
        self._rule = sampling_rule(weights.dimensions)
        self._statistics = statistics_for(weights.dimensions.family, data_source)
        with naming_device_faults(self.device, weights.model):
            self.products = torch.float32 if is_plain else products_type(self.device, dtype)
            self.batch_size = batch_size_for(self.device, weights.dimensions, self.products)
            self.runner = self._network(is_plain=is_plain)

    def infer(
        self,
        cube: Cube,
        land_mask: NDArray[np.bool_] | None = None,
        *,
        block_rows: int | None = None,
        keep_floats: bool = False,
        progress: Callable[[float], None] | None = None,
        stop: Event | None = None,
        finished: Blocks | None = None,
    ) -> Embedding:
        """The embedding of every pixel of the land mask (H, W), of every pixel without a mask.

        progress: called with a share 0..1 that never falls, after each batch and once at the end.
        finished: blocks of an earlier attempt, which are gone on from; told of each block when it is done.
        Raises Stopped between layers or time steps after `stop` was set, GiveUp for a cube that is not as promised
        or a result that is not finite on a CPU, WorkerUnfit for the same on a GPU and for its faults.
        """
        cube.check()
        land = _checked_land(land_mask, cube)
        size = self.weights.dimensions.saved
        whole = Embedding(
            quantised=np.zeros((cube.height, cube.width, size), dtype=np.int8),
            scales=np.zeros((cube.height, cube.width), dtype=np.float32),
            floats=self._no_floats(cube.height, cube.width) if keep_floats else None,
        )
        planned = blocks(cube, block_rows, self.batch_size.block_pixels)
        planned, done_rows = without_restored(planned, whole.quantised, whole.scales, finished)
        both, done = 2 * int(land.sum()), 2 * int(land[:done_rows].sum())
        tracker = Progress(both, progress, stop, done=done)
        tracker.begin()
        for rows, sensors in self._sensors_of(cube, planned):
            block = self._infer_sensors(sensors, land[rows], keep_floats=keep_floats, progress=tracker)
            whole.quantised[rows] = block.quantised
            whole.scales[rows] = block.scales
            if whole.floats is not None and block.floats is not None:
                whole.floats[rows] = block.floats
            if finished is not None:
                finished.finish(*buffers_of(rows, whole.quantised, whole.scales))
        if progress is not None:
            progress(1.0)
        return whole

    def infer_block(
        self,
        cube: Cube,
        rows: slice,
        land: NDArray[np.bool_],
        *,
        keep_floats: bool = False,
        progress: Progress | None = None,
    ) -> Embedding:
        """The same for some rows alone; `land` has the block's shape."""
        with naming_device_faults(self.device, self.weights.model), torch.inference_mode():
            sensors = self.sensors(cube, rows)
        return self._infer_sensors(sensors, land, keep_floats=keep_floats, progress=progress or Progress())

    def sequence_lengths(self, cube: Cube, rows: slice) -> NDArray[np.int64]:
        """How many rows of each sensor the network sees: (H, W, 2), Sentinel-2 then Sentinel-1."""
        sensors = self.sensors(cube, rows)
        lengths = np.stack([target_lengths(sensor, self._rule) for sensor in sensors], axis=1)
        return lengths.reshape(-1, cube.width, 2)

    def batches(self, sensor: Sensor, pixels: Indices) -> Iterator[Batch]:
        """The pixels (N,) of a block as the network takes them in."""
        distinct = not self.batch_size.is_static
        return batches(sensor, pixels, self._rule, self._batch_pixels, distinct=distinct)

    def sensors(self, cube: Cube, rows: slice) -> tuple[Sensor, Sensor]:
        """A block's Sentinel-2 and Sentinel-1, on the device."""
        return (
            optical_sensor(cube, rows, self._statistics, self.device),
            radar_sensor(cube, rows, self._statistics, self.device),
        )

    def _network(self, *, is_plain: bool) -> Runner:
        network = build_network(self.weights.dimensions, dict(self.weights.state))
        if is_plain:
            return PlainNetwork(network, self.device)
        packer = Packer(self.device, self.products, rows=self.batch_size.tokens)
        if not self.batch_size.is_static:
            return FastNetwork(network, packer)
        return FastNetwork(network, packer, lambda part: GraphedBackbone(part, self._batch_pixels))

    def _sensors_of(self, cube: Cube, rows: list[slice]) -> Iterator[tuple[slice, tuple[Sensor, Sensor]]]:
        """Each block's sensors; on a GPU the next block's are uploaded beside the work on this one.

        Nothing is freed too early: a block ends with a transfer back that waits for all work on it.
        """
        if self.device.type == "cpu":
            yield from ((block, self.sensors(cube, block)) for block in rows)
            return
        stream = torch.cuda.Stream(self.device)

        def upload_block(block: slice) -> tuple[Sensor, Sensor]:
            faults = naming_device_faults(self.device, self.weights.model)
            with faults, torch.inference_mode(), torch.cuda.stream(stream):
                sensors = self.sensors(cube, block)
                stream.synchronize()
                return sensors

        yield from prepared_ahead(rows, upload_block)

    def _infer_sensors(
        self,
        sensors: tuple[Sensor, Sensor],
        land: NDArray[np.bool_],
        *,
        keep_floats: bool,
        progress: Progress,
    ) -> Embedding:
        height, width = land.shape
        optical, radar = sensors
        with naming_device_faults(self.device, self.weights.model), torch.inference_mode():
            pixels = encoded_pixels(optical, radar, land.reshape(-1), self._rule)
            progress.done("gather")
            floats = self._represent(optical, radar, pixels, progress)
        self._check_finite(floats)
        family, saved = self.weights.dimensions.family, self.weights.dimensions.saved
        quantised = np.zeros((height * width, saved), dtype=np.int8)
        scales = np.zeros(height * width, dtype=np.float32)
        quantised[pixels], scales[pixels] = quantise(floats[:, :saved], family)
        progress.done("quantise")
        kept = None
        if keep_floats:
            kept = self._no_floats(height, width)
            kept.reshape(height * width, -1)[pixels] = floats
        return Embedding(quantised.reshape(height, width, saved), scales.reshape(height, width), kept)

    def _represent(
        self, optical: Sensor, radar: Sensor, pixels: Indices, progress: Progress
    ) -> NDArray[np.float32]:
        """The network's output for the pixels of a block: (N,) -> (N, R)."""
        first = self._pool(self.runner.optical, optical, pixels, progress)  # (N, D)
        second = self._pool(self.runner.radar, radar, pixels, progress)  # (N, D)
        floats = np.empty((len(pixels), self.weights.dimensions.representation), dtype=np.float32)
        for start in range(0, len(pixels), REDUCE_PIXELS):
            part = slice(start, start + REDUCE_PIXELS)
            floats[part] = self.runner.represent(first[part], second[part]).cpu().numpy()
            progress.done("reducer")
        return floats

    def _pool(self, encode: Encoder, sensor: Sensor, pixels: Indices, progress: Progress) -> torch.Tensor:
        """One sensor's vector per pixel, in the order of `pixels`: (N, D) float32."""
        pooled = torch.empty((len(pixels), self.weights.dimensions.width), device=self.device)
        place = np.empty(len(sensor.counts), dtype=np.int64)  # block position -> row of `pooled`
        place[pixels] = np.arange(len(pixels))
        for batch in self.batches(sensor, pixels):
            progress.done("gather")
            rows = upload(place[batch.pixels], self.device)
            pooled[rows] = encode(batch.sequences, progress.done)
            progress.advance(len(batch.pixels))
        return pooled

    def _batch_pixels(self, length: int) -> int:
        return self._fixed_batch_pixels or self.batch_size.pixels(length)

    def _no_floats(self, height: int, width: int) -> NDArray[np.float32]:
        return np.zeros((height, width, self.weights.dimensions.representation), dtype=np.float32)

    def _check_finite(self, floats: NDArray[np.float32]) -> None:
        bad = int((~np.isfinite(floats)).any(axis=1).sum())
        if bad:
            text = (
                f"{bad} of {len(floats)} pixels of {self.weights.model} came out not finite on {self.device}"
            )
            raise GiveUp(text) if self.device.type == "cpu" else WorkerUnfit(text)


def blocks(cube: Cube, block_rows: int | None = None, pixels: int = CPU_BLOCK_PIXELS) -> list[slice]:
    """The cube's rows cut into blocks, all of one height but the last; of about `pixels` if not given."""
    if block_rows is not None and block_rows < 1:
        raise BadInput(f"block_rows is {block_rows}, expected 1 or more")
    rows = block_rows or max(1, pixels // cube.width)
    return [slice(start, min(start + rows, cube.height)) for start in range(0, cube.height, rows)]


def _checked_land(land_mask: NDArray[np.bool_] | None, cube: Cube) -> NDArray[np.bool_]:
    shape = (cube.height, cube.width)
    if land_mask is None:
        return np.ones(shape, dtype=np.bool_)
    if land_mask.shape != shape or land_mask.dtype != np.bool_:
        raise GiveUp(
            f"the land mask is {land_mask.dtype} of shape {land_mask.shape}, "
            f"expected bool of the cube's shape {shape}"
        )
    return land_mask
