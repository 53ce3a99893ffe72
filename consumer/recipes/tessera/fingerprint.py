"""Everything that a block of an embedding follows from: what a checkpoint must share with the tile to count for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from consumer.checkpoints.blocks import Blocks, Fingerprint
from consumer.imagery.cube import Cube
from consumer.imagery.search import Scene
from consumer.recipes.tessera.device import device_class
from consumer.recipes.tessera.engine import Engine, blocks
from consumer.recipes.tessera.provenance import describe
from contract.dataset import Dataset
from contract.json_text import short_digest


def engine_fingerprint(engine: Engine, dataset: Dataset) -> Fingerprint:
    """The part that is the same for all tiles of a dataset on one kind of machine."""
    return {
        "dataset": dataset.name,
        "code version": dataset.code_version,
        "weights": engine.weights.sha256,
        "device class": device_class(engine.device),
        "dtype": f"{engine.dtype} as {engine.products}",
        "batch size": f"{engine.batch_size.tokens} tokens",
        "torch": str(torch.__version__),
    }


def blocks_of_tile(
    engine: Engine,
    dataset: Dataset,
    cube: Cube,
    cube_sha256: str,
    land: NDArray[np.bool_],
    used: Sequence[Scene],
) -> Blocks:
    """No block of the tile is finished yet. The cube's digest stands for the ETags of its scenes: it is the
    digest of what was read from them."""
    rows = blocks(cube, pixels=engine.batch_size.block_pixels)
    fingerprint = {
        **engine_fingerprint(engine, dataset),
        "scenes": short_digest([describe(scene) for scene in used], length=64),
        "cube": cube_sha256,
        "land": hashlib.sha256(np.packbits(land).data).hexdigest(),
        "block height": f"{rows[0].stop} of {cube.height} rows",
    }
    return Blocks(fingerprint, total=len(rows))
