"""Is this machine fit to infer? Small known inputs, whose results must not depend on who computes them.

Two questions. Does this device, with this arithmetic, find the stored values of a tiny network? And does the
real network, as it lies in this device's memory now, give the same twice, and what a plain CPU gives?
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from consumer.recipes.tessera.engine import Embedding, Engine
from consumer.recipes.tessera.known_results import known_cube, known_result, known_weights
from consumer.recipes.tessera.models import Family
from consumer.recipes.tessera.quantise import dequantise
from contract.errors import WorkerUnfit

LOWEST_COSINE = {"fp32": 0.999, "bf16": 0.99}
"""Between this device and a CPU in float32, per pixel, both after rounding to int8. Sound hardware stays
well above; a broken one gives numbers that have nothing to do with it."""
LEAST_EQUAL = {"fp32": 0.99, "bf16": 0.6}
MOST_STEPS = {"fp32": 1, "bf16": 2}
MOST_SCALE_ERROR = {"fp32": 2e-4, "bf16": 2e-2}
"""Against stored values: share of equal int8 values, largest difference of one, relative error of a scale.
The order of a sum differs from machine to machine, so that a value may fall to the other side of a half."""
REAL_SIZE = 3
"""Edge in pixels of the input for the real network, which takes tens of milliseconds per pixel."""


def check_engine(engine: Engine, source: str) -> None:
    """WorkerUnfit unless the engine's device finds the stored values, and the engine repeats itself exactly
    and agrees with a plain CPU one."""
    with one_thread():
        for family in get_args(Family):
            check_known_result(family, str(engine.device), engine.dtype)
        _check_network(engine, source)


def _check_network(engine: Engine, source: str) -> None:
    cube = known_cube(REAL_SIZE)
    first, second = engine.infer(cube), engine.infer(cube)
    if not np.array_equal(first.quantised, second.quantised) or not np.array_equal(
        first.scales, second.scales
    ):
        raise WorkerUnfit(f"the self-test gave two results for one input on {engine.device}")
    if not (first.scales > 0).all():
        raise WorkerUnfit(f"the self-test gave pixels without a value on {engine.device}")
    if engine.device.type == "cpu" and engine.dtype == "fp32":
        return
    plain = Engine(engine.weights, data_source=source, is_plain=True).infer(cube)
    agreement = cosine(
        dequantise(first.quantised, first.scales), dequantise(plain.quantised, plain.scales)
    ).min()
    if agreement < LOWEST_COSINE[engine.dtype]:
        raise WorkerUnfit(
            f"the self-test on {engine.device} in {engine.dtype} agrees with the CPU only to a cosine of "
            f"{agreement:.4f}, expected {LOWEST_COSINE[engine.dtype]} at least"
        )


def check_known_result(family: Family, device: str, dtype: Literal["fp32", "bf16"]) -> None:
    """WorkerUnfit unless the tiny network of this family gives the stored values there."""
    found = Engine(known_weights(family), device=device, dtype=dtype).infer(known_cube())
    if trouble := difference(found, family, dtype):
        raise WorkerUnfit(
            f"the self-test on {device} in {dtype} gave other values than are stored: {trouble}"
        )


def difference(found: Embedding, family: Family, dtype: Literal["fp32", "bf16"]) -> str:
    """What is wrong with the result of a tiny network; empty for a right one."""
    stored = known_result(family)
    steps = np.abs(found.quantised.astype(np.int16) - stored.quantised)
    equal, most = float((steps == 0).mean()), int(steps.max())
    scale_error = float(np.abs(found.scales / stored.scales - 1).max())
    if equal < LEAST_EQUAL[dtype] or most > MOST_STEPS[dtype] or not scale_error <= MOST_SCALE_ERROR[dtype]:
        return f"{family}, {equal:.1%} of the int8 values equal, {most} off at most, scales {scale_error:.1e} off"
    return ""


@contextmanager
def one_thread() -> Iterator[None]:
    """For inputs so small that threads would mostly wait for each other: tenths of a second instead of
    several where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per pixel: (..., D) and (..., D) -> (...)."""
    lengths = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    result: NDArray[np.float32] = (left * right).sum(axis=-1) / np.maximum(lengths, np.float32(1e-12))
    return result
