"""Against vectors that upstream's own preprocessing made."""

from pathlib import Path

import numpy as np
import pytest

from consumer.recipes.tessera import sentinel1

GOLDEN = Path(__file__).parents[3].parent / "shared" / "tessera" / "golden" / "preprocess.npz"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip("the golden vectors are not on this machine")
    return np.load(GOLDEN)


@pytest.mark.parametrize("precision", ["f64", "f32"])
def test_backscatter_becomes_the_same_decibels_as_upstream(golden, precision):
    backscatter = golden["sar_in_f64"].astype({"f64": np.float64, "f32": np.float32}[precision])
    decibels = sentinel1.to_decibels(backscatter, golden["sar_mask"] > 0)
    expected = golden[f"sar_out_{precision}"]
    difference = np.abs(decibels.astype(int) - expected.astype(int))
    assert decibels.dtype == np.int16
    assert difference.max() <= 1  # truncation: a last bit of log10 may tip a value over
    assert (difference == 0).mean() >= 0.995


def test_scenes_of_one_pass_are_joined_with_the_first_value_that_is_not_0(golden):
    mosaic = np.zeros(golden["s1_stack"].shape[1:], dtype=np.int16)
    for decibels in golden["s1_stack"]:
        sentinel1.fill_gaps(mosaic, decibels)
    np.testing.assert_array_equal(mosaic, golden["s1_mosaic_first"])


def test_limits_and_gaps():
    values = np.array([np.nan, np.inf, -np.inf, -1, 0, -32768, 10**-2.5, 1.0, 1e9], dtype=np.float32)
    decibels = sentinel1.to_decibels(values[np.newaxis], np.ones((1, len(values)), dtype=bool))
    assert decibels.tolist() == [[0, 0, 0, 0, 0, 0, 0, 10000, 32767]]


def test_coverage_counts_measured_land_only():
    backscatter = np.array([[1.0, -32768.0], [np.nan, 2.0]], dtype=np.float32)
    land = np.array([[True, True], [True, False]])
    assert sentinel1.coverage_percent(backscatter, land) == pytest.approx(100 / 3)
    assert sentinel1.coverage_percent(backscatter, np.zeros((2, 2), dtype=bool)) == 0.0
    assert (sentinel1.to_decibels(backscatter, land) != 0).tolist() == [[True, False], [False, False]]
