"""The fast path against the network as it is defined, on the same sequences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from consumer.recipes.tessera.attention import attend
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.packed import PackedLinear
from tests.golden import small_tile, tiny_weights

CASES = [("v1.1", False), ("v2-nano", False), ("v2-nano", True)]
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("dates", [20, 300])
@pytest.mark.parametrize(("model", "qk_norm"), CASES)
def test_the_fast_network_gives_the_plain_ones_embeddings(model, qk_norm, dates, seed):
    cube = small_tile(
        3, 4, dates=dates, seed=seed, s2_special=[[0, 0, 0], [1, 1, 1]], s1_special=[[2, 2, 0, 0]]
    )
    weights = tiny_weights(model, qk_norm=qk_norm)
    plain, fast = (
        Engine(weights, threads=1, is_plain=is_plain).infer(cube, keep_floats=True)
        for is_plain in (True, False)
    )
    np.testing.assert_allclose(fast.floats, plain.floats, atol=1e-5)
    assert np.ptp(plain.floats) > 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 7])
def test_a_packed_layer_is_a_linear_layer_with_or_without_relu(rows, bias, dtype):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn((rows, 5), generator=generator)
    weight = torch.randn((4, 5), generator=generator)
    offset = torch.randn(4, generator=generator) if bias else None
    packed = PackedLinear(weight, offset, device=CPU, dtype=dtype, rows=64)
    expected = functional.linear(inputs, weight, offset)
    rounded = inputs.to(dtype)
    with torch.inference_mode():
        results = [packed(rounded), packed(rounded, relu=True)]
    for result, wanted in zip(results, [expected, expected.relu()], strict=True):
        assert result.dtype == dtype
        torch.testing.assert_close(result.float(), wanted, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_counted_twice_weighs_as_much_as_two_equal_rows_and_one_counted_never_nothing(dtype):
    generator = torch.Generator().manual_seed(4)
    query, key, value = torch.randn((3, 2, 3, 5, 8), generator=generator).to(dtype)  # (B, N, R, S) each
    copies = torch.tensor([[1.0, 2.0, 3.0, 1.0, 0.0], [4.0, 1.0, 1.0, 1.0, 1.0]])
    by_counting = attend(query, key, value, copies.log()).unflatten(0, (2, 5)).float()
    for sequence in range(2):
        repeated = torch.repeat_interleave(torch.arange(5), copies[sequence].long())
        parts = [part[sequence : sequence + 1, :, repeated].float() for part in (query, key, value)]
        by_repeating = attend(*parts, None)
        torch.testing.assert_close(
            by_counting[sequence][repeated], by_repeating, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype]
        )


@pytest.mark.parametrize("scale", [1, 200])
@pytest.mark.parametrize(("rows", "size"), [(6, 8), (9, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_softmax_of_the_products_however_large_they_are(dtype, rows, size, scale):
    generator = torch.Generator().manual_seed(5)
    query, key, value = torch.randn((3, 2, 3, rows, size), generator=generator).to(dtype)
    query = scale * query
    shares = torch.softmax((query @ key.transpose(2, 3)).float(), dim=3)
    expected = (shares @ value.float()).transpose(1, 2).reshape(2 * rows, 3 * size)
    got = attend(query, key, value, None)
    torch.testing.assert_close(got.float(), expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
