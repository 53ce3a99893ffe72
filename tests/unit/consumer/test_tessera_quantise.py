from __future__ import annotations

import numpy as np
import pytest

from consumer.recipes.tessera.quantise import dequantise, quantise

FAMILIES = ["v1.1", "v2"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_round_trip_errs_by_half_a_step_at_most(family):
    embedding = np.random.default_rng(21).normal(size=(200, 128)).astype(np.float32)
    quantised, scales = quantise(embedding, family)
    assert quantised.dtype == np.int8
    assert scales.dtype == np.float32
    error = np.abs(dequantise(quantised, scales) - embedding)
    assert np.all(error <= 0.501 * scales[:, np.newaxis])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_dimension_of_a_pixel_becomes_127(family):
    quantised, scales = quantise(np.array([[0.5, -2.54, 0.0]], dtype=np.float32), family)
    assert quantised.tolist() == [[25, -127, 0]]
    assert scales == pytest.approx([0.02], rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_halves_round_to_even(family):
    quantised, _ = quantise(np.array([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5]], dtype=np.float32), family)
    assert quantised.tolist() == [[127, 0, 2, 2, 0, -2]]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_all_zero_pixel_has_a_scale_that_is_not_the_mark_of_a_missing_one(family):
    quantised, scales = quantise(np.zeros((1, 4), dtype=np.float32), family)
    assert not quantised.any()
    assert scales[0] > 0
