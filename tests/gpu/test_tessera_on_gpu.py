"""The engine on a GPU against upstream's own numbers, the CPU, and itself."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
import torch

from consumer.recipes.tessera.cuda_graphs import GraphedBackbone
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.sequences import Sequences
from contract.errors import Stopped
from tests.golden import golden, small_tile, tiny_weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
MODELS = ["v1.1", "v2-nano"]
GOLDEN = ["v11_tiny", "v11_asym_aws", "v11_nos1", "v11_full", "v2_nano", "v2_nano_qk", "v2_medium"]


def distances(name: str, **options) -> tuple[np.ndarray, np.ndarray, float]:
    """Per pixel cosine, int8 steps, and the largest difference to upstream's embeddings."""
    case = golden(name)
    engine = Engine(case.weights, data_source=case.data_source, device="cuda", **options)
    result = engine.infer(case.cube, keep_floats=True)
    defined = case.arrays.get("defined", np.ones_like(result.scales)) != 0
    ours, theirs = (floats[defined].astype(np.float64) for floats in (result.floats, case.arrays["emb_f32"]))
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    steps = np.abs(result.quantised.astype(int) - case.arrays["int8"])
    return (ours * theirs).sum(axis=1) / lengths, steps, float(np.abs(ours - theirs).max())


@pytest.mark.parametrize("batch_pixels", [None, 7])
@pytest.mark.parametrize("name", GOLDEN)
def test_embeddings_equal_upstreams_in_float32(name, batch_pixels):
    cosines, steps, largest = distances(name, batch_pixels=batch_pixels)
    assert largest <= 2e-4
    assert cosines.min() >= 0.999999
    assert (steps == 0).mean() >= 0.999
    assert steps.max() <= 1


@pytest.mark.parametrize("name", GOLDEN)
def test_bf16_is_within_its_tolerance(name):
    cosines, steps, _ = distances(name, dtype="bf16")
    assert cosines.min() >= 0.9998
    assert cosines.mean() >= 0.99995
    assert (steps == 0).mean() >= 0.6
    assert (steps > 1).mean() <= 0.01


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("model", MODELS)
def test_a_repeat_and_another_engine_give_the_same_bytes(model, dtype):
    engine, other = (Engine(tiny_weights(model), device="cuda", dtype=dtype) for _ in range(2))
    first, again, elsewhere = (run.infer(small_tile(), block_rows=4) for run in (engine, engine, other))
    for result in (again, elsewhere):
        np.testing.assert_array_equal(first.quantised, result.quantised)
        np.testing.assert_array_equal(first.scales, result.scales)


@pytest.mark.parametrize("model", MODELS)
def test_a_recorded_graph_gives_what_launching_each_kernel_gives(model):
    graphed = Engine(tiny_weights(model), device="cuda").runner.optical
    assert isinstance(graphed, GraphedBackbone)
    generator = torch.Generator().manual_seed(7)
    for count in (3, 5, 2):
        values = torch.randn((count, 8, 10), generator=generator).cuda()
        days = torch.randint(1, 366, (count, 8), generator=generator).cuda()
        order = torch.arange(8).expand(count, -1).cuda()
        batch = Sequences(values, days, order, copies=None)
        with torch.inference_mode():
            replayed, launched = (run(batch, lambda _: None) for run in (graphed, graphed._backbone))
        torch.testing.assert_close(replayed, launched, atol=1e-5, rtol=1e-5)
    assert all(recording is not None for recording in graphed._recordings.values())


def test_a_stop_ends_the_work():
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        Engine(tiny_weights("v1.1"), device="cuda").infer(small_tile(), stop=stop)
