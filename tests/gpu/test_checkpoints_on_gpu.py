"""On a GPU, where the next block is uploaded ahead: interrupted and gone on from, a tile has the same bytes."""

from __future__ import annotations

from threading import Event

import pytest
import torch

from consumer.checkpoints.blocks import Blocks
from consumer.recipes.tessera.engine import Engine
from contract.errors import Stopped
from tests.golden import small_tile, tiny_weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
ROWS, HEIGHT, TOTAL = 2, 9, 5


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("model", ["v1.1", "v2-nano"])
@pytest.mark.parametrize("at", range(TOTAL))
def test_interrupted_at_any_block_another_engine_completes_the_same_bytes(model, dtype, at):
    engine, other = (Engine(tiny_weights(model), device="cuda", dtype=dtype) for _ in range(2))
    cube, first, stop = small_tile(height=HEIGHT), Blocks({}, TOTAL), Event()
    whole = engine.infer(cube, block_rows=ROWS)

    def watch(_share: float) -> None:
        if first.finished == at:
            stop.set()

    with pytest.raises(Stopped):
        engine.infer(cube, block_rows=ROWS, progress=watch, stop=stop, finished=first)
    second = Blocks({}, TOTAL)
    second.restore([tuple(bytes(buffer) for buffer in block) for block in first.since(0)])
    again = other.infer(cube, block_rows=ROWS, finished=second)
    assert again.quantised.tobytes() == whole.quantised.tobytes()
    assert again.scales.tobytes() == whole.scales.tobytes()
