"""Our embeddings against upstream's own, on its published inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from consumer.recipes.tessera.engine import Embedding, Engine
from consumer.recipes.tessera.network import build_network
from tests.golden import Golden, golden, stage_batch

pytestmark = pytest.mark.slow

SMALL = ["v11_tiny", "v11_asym_aws", "v11_nos1", "v2_nano", "v2_nano_qk"]
FULL_SIZE = [
    pytest.param("v2_medium", marks=pytest.mark.slow),
    pytest.param("v11_full", marks=pytest.mark.slow),
]


def engine_for(case: Golden, **options) -> Engine:
    # One thread: the batches are small, and other tests may hold the other cores.
    return Engine(case.weights, data_source=case.data_source, threads=1, **options)


@dataclass(frozen=True)
class Comparison:
    """Distances of a result to the expected one, over the pixels for which upstream has a result."""

    largest_difference: float
    cosines: np.ndarray
    int8_steps: np.ndarray
    scale_ratio_error: float


def compare(case: Golden, result: Embedding) -> Comparison:
    defined = case.arrays.get("defined", np.ones_like(result.scales)) != 0
    ours = result.floats[defined].astype(np.float64)
    theirs = case.arrays["emb_f32"][defined].astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    steps = result.quantised.astype(int) - case.arrays["int8"]
    return Comparison(
        largest_difference=np.abs(ours - theirs).max(),
        cosines=(ours * theirs).sum(axis=1) / lengths,
        int8_steps=np.abs(steps),
        scale_ratio_error=np.abs(result.scales[defined] / case.arrays["scales"][defined] - 1).max(),
    )


def assert_equals_upstream(case: Golden, result: Embedding) -> None:
    seen = compare(case, result)
    assert seen.largest_difference <= 2e-4
    assert seen.cosines.min() >= 0.999999
    assert (seen.int8_steps == 0).mean() >= 0.999
    assert seen.int8_steps.max() <= 1
    assert seen.scale_ratio_error <= 2e-4


@pytest.mark.parametrize("name", SMALL + FULL_SIZE)
def test_weights_and_tile_are_regenerated_to_the_byte(name):
    case = golden(name)
    assert case.weights.sha256 == case.meta["weights_sha256"]
    assert case.cube.digest() == case.meta["tile_sha256"]


@pytest.mark.parametrize("name", SMALL + FULL_SIZE)
def test_embeddings_equal_upstreams_in_float32(name):
    case = golden(name)
    engine = engine_for(case)
    assert_equals_upstream(case, engine.infer(case.cube, keep_floats=True))


@pytest.mark.parametrize("batch_pixels", [7, 64])
@pytest.mark.parametrize("block_rows", [3, 100])
@pytest.mark.parametrize("name", ["v11_asym_aws", "v2_nano_qk"])
def test_neither_batch_size_nor_block_height_shows_in_the_result(name, block_rows, batch_pixels):
    case = golden(name)
    engine = engine_for(case, batch_pixels=batch_pixels)
    assert_equals_upstream(case, engine.infer(case.cube, block_rows=block_rows, keep_floats=True))


@pytest.mark.parametrize("name", ["v11_asym_aws", "v2_nano_qk"])
def test_a_land_mask_changes_nothing_on_land_and_leaves_zeros_elsewhere(name):
    case = golden(name)
    land = np.random.default_rng(8).random(case.arrays["scales"].shape) < 0.5
    engine = engine_for(case)
    result = engine.infer(case.cube, land)
    steps = result.quantised[land].astype(int) - case.arrays["int8"][land]
    assert np.abs(steps).max() <= 1
    np.testing.assert_allclose(result.scales[land], case.arrays["scales"][land], rtol=2e-4)
    assert not result.quantised[~land].any()
    assert not result.scales[~land].any()


@pytest.mark.parametrize("name", ["v11_tiny", "v2_nano", "v2_nano_qk", *FULL_SIZE])
def test_bf16_is_within_its_tolerance_and_rounds_more_values_right_than_upstreams_own(name):
    case = golden(name)
    engine = engine_for(case, dtype="bf16")
    seen = compare(case, engine.infer(case.cube, keep_floats=True))
    assert seen.cosines.min() >= 0.9998
    assert seen.cosines.mean() >= 0.99995
    assert (seen.int8_steps == 0).mean() >= max(0.6, case.meta["stats"]["bf16_exact"])
    assert (seen.int8_steps == 1).mean() <= 0.4
    assert (seen.int8_steps > 1).mean() <= 0.01
    assert seen.scale_ratio_error <= 2e-2


@pytest.mark.parametrize("name", SMALL)
def test_sequence_lengths_are_upstreams(name):
    case = golden(name)
    lengths = engine_for(case).sequence_lengths(case.cube, slice(None))
    if case.meta["kind"] == "v2":  # the file counts the one all-zero row of a student as none
        lengths = np.where(case.arrays["bins"] == 0, lengths - 1, lengths)
    np.testing.assert_array_equal(lengths, case.arrays["bins"])


@pytest.mark.parametrize("name", ["v2_nano", "v2_nano_qk"])
def test_pixels_that_a_student_never_saw_get_scale_zero(name):
    case = golden(name)
    unseen = case.arrays["defined"] == 0
    assert unseen.any()
    result = engine_for(case).infer(case.cube)
    assert not result.scales[unseen].any()
    assert not result.quantised[unseen].any()
    assert result.scales[~unseen].all()


def close(ours: torch.Tensor, theirs: np.ndarray) -> bool:
    return ours.shape == theirs.shape and np.abs(ours.numpy() - theirs).max() <= 2e-5


@pytest.mark.parametrize("name", ["v11_tiny", "v2_nano", "v2_nano_qk"])
def test_every_stage_of_the_sentinel_2_backbone_equals_upstreams(name):
    case = golden(name)
    backbone = build_network(case.weights.dimensions, dict(case.weights.state)).s2_backbone
    (values, days), _ = stage_batch(case.meta)
    with torch.inference_mode():
        embedded = backbone.embedding(torch.from_numpy(values))
        assert close(embedded, case.arrays["stage_s2_embedding"])
        encoded = backbone.days[torch.from_numpy(days)]
        assert close(encoded, case.arrays["stage_s2_temporal"])
        tokens = embedded + encoded
        encoder = backbone.transformer_encoder
        for number, layer in enumerate(getattr(encoder, "layers", encoder)):
            tokens = layer(tokens)
            assert close(tokens, case.arrays[f"stage_s2_layer{number}"]), f"layer {number}"
        if case.meta["kind"] == "v11":
            states = backbone.attn_pool.temporal_context(tokens)
            assert close(states, case.arrays["stage_s2_gru"])
            assert close(backbone.attn_pool.scores(states), case.arrays["stage_s2_scores"])
        assert close(backbone.attn_pool(tokens), case.arrays["stage_s2_pooled"])


@pytest.mark.parametrize("name", ["v11_tiny", "v2_nano", "v2_nano_qk"])
def test_both_sensors_meet_in_upstreams_representation(name):
    case = golden(name)
    network = build_network(case.weights.dimensions, dict(case.weights.state))
    optical, radar = (
        (torch.from_numpy(values), torch.from_numpy(days)) for values, days in stage_batch(case.meta)
    )
    with torch.inference_mode():
        first, second = network.s2_backbone(*optical), network.s1_backbone(*radar)
        assert close(second, case.arrays["stage_s1_pooled"])
        assert close(network.represent(first, second), case.arrays["stage_emb"])
