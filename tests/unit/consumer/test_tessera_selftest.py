"""The stored values that tell a sound machine from another."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.known_results import known_cube, known_result, known_weights
from consumer.recipes.tessera.models import Family
from consumer.recipes.tessera.selftest import check_known_result, difference, one_thread
from contract.errors import WorkerUnfit

FAMILIES = get_args(Family)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_this_machine_finds_the_stored_values(family, dtype):
    with one_thread():
        check_known_result(family, "cpu", dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_gpu_finds_the_stored_values(family, dtype):
    try:
        check_known_result(family, "cuda", dtype)
    except WorkerUnfit as error:
        if "no GPU" in str(error):
            pytest.skip("there is no GPU here")
        raise


@pytest.mark.parametrize("family", FAMILIES)
def test_one_wrong_pixel_or_a_drifted_scale_is_told(family):
    result = Engine(known_weights(family), threads=1).infer(known_cube())
    assert difference(result, family, "fp32") == ""
    wrong_pixel = result.quantised.copy()
    wrong_pixel[2, 3] = -wrong_pixel[2, 3]
    assert difference(replace(result, quantised=wrong_pixel), family, "bf16")
    assert "scales" in difference(replace(result, scales=result.scales * np.float32(1.05)), family, "bf16")
    assert difference(replace(result, scales=np.full_like(result.scales, np.nan)), family, "bf16")


def test_the_families_have_values_of_their_own():
    first, second = (known_result(family) for family in FAMILIES)
    assert not np.array_equal(first.quantised, second.quantised)
    assert all(np.abs(known_result(family).quantised).max() == 127 for family in FAMILIES)
