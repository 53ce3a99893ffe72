"""How fast each model runs on this device, where its time goes, and how near that is to the limit.

Every measurement has a process of its own, so that its threads and its peak memory are its own. Loading
and a first run are not timed. On one CPU thread the clock is CPU time, which other work on the machine
disturbs least; otherwise it is wall time. The engine, its matrix products alone and a large matrix
product take turns, and medians count.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import cast

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.engine import Dtype, Engine
from consumer.recipes.tessera.linears import LinearsOnly, peak_product
from consumer.recipes.tessera.progress import Progress
from consumer.recipes.tessera.synthetic import synthetic_cube
from consumer.recipes.tessera.untrained import untrained_weights

ROUNDS = 5
TILE_WIDTH = 64
ROUND_FLOPS = {"cpu": 1e12, "cuda": 5e14}
"""About how much one round computes: a few seconds of one core, or of a GPU."""
MOST_PIXELS = {"cpu": 2_048, "cuda": 131_072}
MIB = 1024 * 1024


@dataclass(frozen=True)
class Measurement:
    """One model in one number type."""

    model: str
    dtype: str
    pixels: int
    """Of the tile that was inferred, again and again."""
    pixels_per_second: float
    linears_share: float
    """Time of the matrix products alone, over the time of the whole."""
    peak_share: float
    """Floating-point operations per second of those products in the whole, over the measured peak's."""
    peak_flops: float
    """Operations per second of a large product by itself."""
    part_milliseconds: dict[str, float]
    """Per pixel. On a GPU a backbone is one recorded graph, all under "transformer"."""
    peak_mib: float
    """Most memory that the process (or on a GPU, torch) ever had, without the tile's arrays."""


def bench(models: Sequence[str], dtypes: Sequence[str], device: str, threads: int) -> list[Measurement]:
    """Measure each model in each number type, one after the other, each in a fresh process."""
    wanted = [(model, dtype) for model in models for dtype in dtypes]
    measured = []
    for model, dtype in wanted:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            measured.append(process.submit(measure, model, cast("Dtype", dtype), device, threads).result())
    return measured


def print_bench(models: Sequence[str], dtypes: Sequence[str], device: str, threads: int) -> None:
    """Print one row per model and number type."""
    measured = bench(models, dtypes, device, threads)
    clock = "CPU-second" if uses_cpu_time(device, threads) else "second"
    parts = list(dict.fromkeys(part for row in measured for part in row.part_milliseconds))
    table = Table(title=f"Tessera on {device}, {threads} thread(s); parts in ms per pixel")
    columns = ["model", "type", f"pixels / {clock}", "linears", "of peak", "peak TFLOP/s", "MiB", *parts]
    for name in columns:
        table.add_column(name, justify="left" if name in ("model", "type") else "right")
    for row in measured:
        table.add_row(
            row.model,
            row.dtype,
            f"{row.pixels_per_second:,.1f}",
            f"{row.linears_share:.2f}",
            f"{row.peak_share:.2f}",
            f"{row.peak_flops / 1e12:.3f}",
            f"{row.peak_mib:,.0f}",
            *(f"{row.part_milliseconds.get(part, 0):.3f}" for part in parts),
        )
    Console(width=max(120, 12 * len(columns))).print(table)


def uses_cpu_time(device: str, threads: int) -> bool:
    return device == "cpu" and threads == 1


def measure(model: str, dtype: Dtype, device: str, threads: int) -> Measurement:
    """One row. Sets the process's number of threads."""
    engine = Engine(untrained_weights(model), device=device, dtype=dtype, threads=threads)
    cube = synthetic_cube(_height(engine), TILE_WIDTH)
    engine.infer(cube)
    peak_mib = _peak_bytes(engine.device, cube) / MIB  # before the inputs of the products add to it
    linears = LinearsOnly(engine, cube)
    peak, peak_flops = peak_product(engine)
    work = {"whole": lambda: engine.infer(cube), "linears": linears.run, "peak": peak}
    for warm_up in (linears.run, peak):
        warm_up()
    timer = _Timer(engine.device, cpu_time=uses_cpu_time(device, threads))
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            seconds[name].append(timer.seconds(run))
    shares = [alone / whole for alone, whole in zip(seconds["linears"], seconds["whole"], strict=True)]
    whole, peak_rate = statistics.median(seconds["whole"]), peak_flops / statistics.median(seconds["peak"])
    pixels = cube.height * cube.width
    return Measurement(
        model=model,
        dtype=dtype,
        pixels=pixels,
        pixels_per_second=pixels / whole,
        linears_share=statistics.median(shares),
        peak_share=linears.flops / whole / peak_rate,
        peak_flops=peak_rate,
        part_milliseconds=_parts(engine, cube, timer),
        peak_mib=peak_mib,
    )


class _Timer:
    """Reads a clock only when the device has nothing left to do."""

    def __init__(self, device: torch.device, *, cpu_time: bool) -> None:
        self._is_gpu = device.type == "cuda"
        self._clock = time.process_time if cpu_time else time.perf_counter

    def now(self) -> float:
        if self._is_gpu:
            torch.cuda.synchronize()
        return self._clock()

    def seconds(self, run: Callable[[], object]) -> float:
        began = self.now()
        run()
        return self.now() - began


class _PartClock(Progress):
    """Books the time since the last part to the one that has just ended."""

    def __init__(self, timer: _Timer) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self._timer = timer
        self._last = timer.now()

    def done(self, part: str) -> None:
        now = self._timer.now()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now


def _parts(engine: Engine, cube: Cube, timer: _Timer) -> dict[str, float]:
    clock = _PartClock(timer)
    everywhere = np.ones((cube.height, cube.width), dtype=np.bool_)
    engine.infer_block(cube, slice(0, cube.height), everywhere, progress=clock)
    return {part: 1e3 * seconds / everywhere.size for part, seconds in clock.seconds.items()}


def _height(engine: Engine) -> int:
    """Rows of a tile that keeps the device busy for about a round."""
    kind = engine.device.type
    one_row = synthetic_cube(1, TILE_WIDTH)
    flops_per_pixel = LinearsOnly(engine, one_row).flops / TILE_WIDTH
    pixels = min(ROUND_FLOPS[kind] / flops_per_pixel, MOST_PIXELS[kind])
    return max(1, round(pixels / TILE_WIDTH))


def _peak_bytes(device: torch.device, cube: Cube) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - cube.nbytes  # Linux counts in KiB
