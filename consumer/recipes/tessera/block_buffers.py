"""A block's result as a checkpoint holds it: the rows of each array, one behind the other, as they lie in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumer.checkpoints.blocks import Block, Blocks
from contract.errors import GiveUp


def buffers_of(rows: slice, *arrays: NDArray[Any]) -> tuple[memoryview, ...]:
    """Views of the rows of each array; nothing is copied."""
    return tuple(array[rows].data.cast("B") for array in arrays)


def without_restored(
    planned: Sequence[slice],
    quantised: NDArray[np.int8],
    scales: NDArray[np.float32],
    finished: Blocks | None,
) -> tuple[list[slice], int]:
    """Put restored blocks in their place; what is left to do, and how many rows are done."""
    restored = finished.take_restored() if finished is not None else []
    for rows, block in zip(planned, restored, strict=False):
        _fill(rows, block, quantised, scales)
    return list(planned[len(restored) :]), planned[len(restored) - 1].stop if restored else 0


def _fill(rows: slice, block: Block, *arrays: NDArray[Any]) -> None:
    """GiveUp for bytes of another shape: their checkpoint had the fingerprint of this tile and was not of it."""
    for buffer, array in zip(block, arrays, strict=True):
        target = array[rows]
        if len(buffer) != target.nbytes:
            raise GiveUp(f"a restored block has {len(buffer)} bytes for rows that take {target.nbytes}")
        target[...] = np.frombuffer(buffer, dtype=array.dtype).reshape(target.shape)
