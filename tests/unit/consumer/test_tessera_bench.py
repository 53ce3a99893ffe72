"""What the benchmark says of an engine: its products counted by hand, and shares that can be true."""

from __future__ import annotations

import numpy as np
import pytest

from consumer.recipes.tessera.bench import Measurement, measure, uses_cpu_time
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.linears import LinearsOnly
from consumer.recipes.tessera.synthetic import OPTICAL_SEEN, RADAR_SEEN, synthetic_cube
from tests.golden import tiny_weights


def test_the_synthetic_year_is_as_often_clear_as_it_says():
    cube = synthetic_cube(3, 5)
    cube.check()
    clear = (cube.masks != 0).sum(axis=0)
    passes = np.concatenate([cube.sar_ascending, cube.sar_descending]).any(axis=-1).sum(axis=0)
    assert (clear >= OPTICAL_SEEN[0]).all()
    assert (clear <= OPTICAL_SEEN[1]).all()
    assert (passes >= RADAR_SEEN[0]).all()
    assert (passes <= RADAR_SEEN[1]).all()
    assert synthetic_cube(3, 5).digest() == cube.digest()


@pytest.mark.parametrize("model", ["v1.1", "v2-nano"])
def test_the_products_are_those_of_the_papers_formulas(model):
    """Per token 2cd + 2d^2 for the embedding and 8d^2 + 4df a layer, a GRU's 6d^2 per row and 6d^2 per
    step, and per pixel 2(2d x 4d + 4d x R), with d = 16."""
    weights = tiny_weights(model)
    engine = Engine(weights, threads=1)
    cube = synthetic_cube(1, 1)
    d, steps = 16, (72, 64)
    rows = [int((cube.masks != 0).sum())]
    rows.append(int(np.concatenate([cube.sar_ascending, cube.sar_descending]).any(axis=-1).sum()))
    expected = 2 * (2 * d * 4 * d + 4 * d * weights.dimensions.representation)
    for sensor, channels, tokens, length in zip(
        (weights.dimensions.optical, weights.dimensions.radar), (10, 2), rows, steps, strict=True
    ):
        layer = 8 * d * d + 4 * d * sensor.feedforward
        expected += tokens * (2 * channels * d + 2 * d * d + sensor.layers * layer)
        if model == "v1.1":
            expected += 6 * d * d * (tokens + length)
    assert LinearsOnly(engine, cube).flops == expected


@pytest.mark.slow
def test_a_measurement_adds_up():
    row = measure("v2-nano", "fp32", "cpu", 1)
    assert isinstance(row, Measurement)
    assert row.linears_share > 0
    assert row.peak_share > 0
    assert {"gather", "embedding", "transformer", "pooling", "reducer", "quantise"} <= set(
        row.part_milliseconds
    )
    # Of this process, with all that other tests left in it; `bench` gives each row a process of its own.
    assert row.peak_mib > 0


def test_cpu_time_is_read_only_where_one_thread_does_all_the_work():
    assert uses_cpu_time("cpu", 1)
    assert not uses_cpu_time("cpu", 2)
    assert not uses_cpu_time("cuda", 1)
