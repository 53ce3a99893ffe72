"""Is this machine fit to infer? A small known cube, whose result must not depend on who computes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.quantise import dequantise
from contract.errors import WorkerUnfit

SIZE = 6
DATES = 24
SEED = 20240229
LOWEST_COSINE = {"fp32": 0.999, "bf16": 0.99}
"""Between this device and a CPU in float32, per pixel, both after rounding to int8. Sound hardware stays
well above; a broken one gives numbers that have nothing to do with it."""


def check_engine(engine: Engine, source: str) -> None:
    """WorkerUnfit unless the engine repeats itself exactly and agrees with a plain CPU one."""
    cube = known_cube()
    first, second = engine.infer(cube), engine.infer(cube)
    if not np.array_equal(first.quantised, second.quantised) or not np.array_equal(
        first.scales, second.scales
    ):
        raise WorkerUnfit(f"the self-test gave two results for one input on {engine.device}")
    if not (first.scales > 0).all():
        raise WorkerUnfit(f"the self-test gave pixels without a value on {engine.device}")
    if engine.device.type == "cpu" and engine.dtype == "fp32":
        return
    plain = Engine(engine.weights, data_source=source).infer(cube)
    agreement = cosine(
        dequantise(first.quantised, first.scales), dequantise(plain.quantised, plain.scales)
    ).min()
    if agreement < LOWEST_COSINE[engine.dtype]:
        raise WorkerUnfit(
            f"the self-test on {engine.device} in {engine.dtype} agrees with the CPU only to a cosine of "
            f"{agreement:.4f}, expected {LOWEST_COSINE[engine.dtype]} at least"
        )


def known_cube() -> Cube:
    """A few pixels with gaps in both sensors; the same on every machine."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    seen = generator.random((DATES, SIZE, SIZE)) < 0.6
    radar = generator.integers(1500, 7000, (2, DATES // 2, SIZE, SIZE, 2)).astype(np.int16)
    days = np.linspace(1, 360, DATES)
    return Cube(
        bands=generator.integers(200, 5000, (DATES, SIZE, SIZE, 10)).astype(np.uint16),
        masks=seen.astype(np.uint8),
        doys=days.astype(np.uint16),
        sar_ascending=radar[0],
        sar_ascending_doy=days[::2].astype(np.int16),
        sar_descending=radar[1],
        sar_descending_doy=days[1::2].astype(np.int16),
    )


def cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per pixel: (..., D) and (..., D) -> (...)."""
    lengths = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    result: NDArray[np.float32] = (left * right).sum(axis=-1) / np.maximum(lengths, np.float32(1e-12))
    return result
