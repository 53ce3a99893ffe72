"""What the GPU path needs and a CPU can try: batch sizes, filling up, preparing ahead, number types."""

from __future__ import annotations

import threading

import pytest
import torch

from consumer.recipes.tessera.ahead import prepared_ahead
from consumer.recipes.tessera.batch_size import LARGEST_GPU_TOKENS, batch_size_for, gpu_tokens
from consumer.recipes.tessera.cuda_graphs import filled_up
from consumer.recipes.tessera.device import products_type
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.models import published_dimensions
from consumer.recipes.tessera.sequences import Sequences
from tests.golden import small_tile, tiny_weights

CPU = torch.device("cpu")
GIB = 2**30


@pytest.mark.parametrize(
    ("model", "memory_bytes", "tokens"),
    [
        ("v1.1", 141 * GIB, LARGEST_GPU_TOKENS),
        ("v1.1", 24 * GIB, LARGEST_GPU_TOKENS),
        ("v1.1", 15 * GIB, 131_072),
        ("v2-nano", 15 * GIB, LARGEST_GPU_TOKENS),
        ("v1.1", 2**20, 8),
    ],
)
def test_a_gpus_batch_fits_a_quarter_of_its_memory(model, memory_bytes, tokens):
    assert gpu_tokens(memory_bytes, published_dimensions(model), bytes_per_number=2) == tokens


def test_a_batch_holds_at_least_one_pixel_however_long_its_sequences():
    rule = batch_size_for(CPU, published_dimensions("v1.1"), torch.float32)
    assert rule.pixels(8) > rule.pixels(256) > 0
    assert rule.pixels(10**6) == 1


def sequences_of(count: int) -> Sequences:
    generator = torch.Generator().manual_seed(6)
    values = torch.randn((count, 8, 10), generator=generator)
    days = torch.randint(1, 366, (count, 8), generator=generator)
    return Sequences(values, days, torch.arange(8).expand(count, -1), copies=None)


@pytest.mark.parametrize("model", ["v1.1", "v2-nano"])
def test_filling_a_batch_up_leaves_the_results_of_its_pixels_alone(model):
    backbone = Engine(tiny_weights(model), threads=1).runner.optical
    some = sequences_of(3)
    full = filled_up(some, 5)
    assert full.shape == (5, 8, 8)
    with torch.inference_mode():
        alone, among_more = (backbone(batch, lambda _: None) for batch in (some, full))
    torch.testing.assert_close(among_more[:3], alone, atol=1e-6, rtol=1e-6)
    assert filled_up(some, 3) is some


def test_blocks_come_in_order_and_the_next_is_prepared_while_one_is_worked_on():
    asked: list[int] = []
    arrived = {number: threading.Event() for number in range(3)}

    def prepare(number: int) -> str:
        asked.append(number)
        arrived[number].set()
        return f"block {number}"

    seen = []
    for number, prepared in prepared_ahead([0, 1, 2], prepare):
        if number < 2:
            assert arrived[number + 1].wait(timeout=60)
        assert max(asked) <= number + 1
        seen.append(prepared)
    assert seen == ["block 0", "block 1", "block 2"]
    assert list(prepared_ahead([], prepare)) == []


def test_a_fault_while_preparing_ahead_reaches_whoever_asks_for_that_block():
    def prepare(number: int) -> int:
        if number:
            raise ValueError("block 1 cannot be read")
        return number

    blocks = prepared_ahead([0, 1], prepare)
    assert next(blocks) == (0, 0)
    with pytest.raises(ValueError, match="block 1"):
        next(blocks)


def test_float32_is_never_replaced_and_bf16_only_where_it_would_be_emulated():
    assert products_type(CPU, "fp32") == torch.float32
    is_native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert products_type(CPU, "bf16") == (torch.bfloat16 if is_native else torch.float32)


def test_a_full_sequence_batch_gives_what_distinct_rows_give():
    """A GPU takes every time step as a row, a CPU each observation once."""
    cube, weights = small_tile(s2_special=[[0, 0, 0], [1, 1, 1]]), tiny_weights("v1.1")
    engine = Engine(weights, threads=1)
    by_distinct = engine.infer(cube, keep_floats=True).floats
    object.__setattr__(engine.batch_size, "is_static", True)
    by_step = engine.infer(cube, keep_floats=True).floats
    torch.testing.assert_close(torch.from_numpy(by_step), torch.from_numpy(by_distinct), atol=1e-5, rtol=0)
