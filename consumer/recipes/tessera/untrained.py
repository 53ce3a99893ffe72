"""Weights made from a seed: they mean nothing, but let everything around a model be tried without one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from consumer.recipes.tessera.models import Dimensions, published_dimensions
from consumer.recipes.tessera.network import weight_shapes
from consumer.recipes.tessera.weights import Weights

UNTRAINED_SEED = 1


def untrained_weights(
    model: str, *, seed: int = UNTRAINED_SEED, dimensions: Dimensions | None = None
) -> Weights:
    """The same weights on every machine. Other dimensions than the published ones are for tests."""
    dimensions = dimensions or published_dimensions(model)
    state = seeded_state(weight_shapes(dimensions), seed)
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    return Weights(model, dimensions, tensors, content_sha256(state), is_trained=False)


def seeded_state(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, NDArray[np.float32]]:
    """Uniform random tensors, drawn by PCG64 in order of their names.

    Matrices keep the variance of what passes through them, gains lie around 1, the rest around 0.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    state = {}
    for name in sorted(shapes):
        shape = shapes[name]
        uniform = 2 * generator.random(shape) - 1  # -1..1
        if not name.endswith(".weight"):
            drawn = 0.1 * uniform
        elif len(shape) == 1:
            drawn = 1 + 0.1 * uniform
        else:
            drawn = uniform * np.sqrt(3 / shape[1])
        state[name] = drawn.astype(np.float32)
    return state


def content_sha256(state: Mapping[str, NDArray[np.float32]]) -> str:
    """SHA-256 over each name and its little-endian bytes, in order of the names."""
    sha256 = hashlib.sha256()
    for name in sorted(state):
        sha256.update(name.encode())
        sha256.update(np.ascontiguousarray(state[name], dtype="<f4").data)
    return sha256.hexdigest()
