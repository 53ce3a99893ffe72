"""The matrix products of an inference and nothing else: the time that no arrangement can go below."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.fast_network import FastNetwork
from consumer.recipes.tessera.packed import PackedLinear, Product

PEAK_SIZE = {"cpu": 2_048, "cuda": 8_192}
"""Rows and columns of the square matrices whose product is taken as the device's peak."""


class LinearsOnly:
    """The products by learned weights that an engine computes for one block, on made-up inputs."""

    def __init__(self, engine: Engine, cube: Cube) -> None:
        self._products = list(_products(engine, cube))
        self._inputs: dict[tuple[int, int, torch.dtype], torch.Tensor] = {}
        for product in self._products:
            key = _key(product)
            if key not in self._inputs:
                self._inputs[key] = torch.randn(key[:2], device=engine.device).to(key[2])

    @property
    def flops(self) -> int:
        return sum(product.flops for product in self._products)

    def run(self) -> None:
        """In the order, and with the shapes, of the inference."""
        with torch.inference_mode():
            for product in self._products:
                inputs = self._inputs[_key(product)]
                for _ in range(product.times):
                    product.linear(inputs)


def peak_product(engine: Engine) -> tuple[Callable[[], None], int]:
    """A large square product in the engine's number type, and its floating-point operations."""
    size = PEAK_SIZE[engine.device.type]
    linear = PackedLinear(
        torch.randn(size, size), None, device=engine.device, dtype=engine.products, rows=size
    )
    inputs = torch.randn(size, size, device=engine.device).to(engine.products)

    def run() -> None:
        with torch.inference_mode():
            linear(inputs)

    return run, Product(linear, size).flops


def _products(engine: Engine, cube: Cube) -> list[Product]:
    network = engine.runner
    if not isinstance(network, FastNetwork):
        raise TypeError("a plain network has no products of its own to time")
    pixels = np.arange(cube.height * cube.width)
    found = []
    sensors = engine.sensors(cube, slice(0, cube.height))
    for backbone, sensor in zip(network.backbones, sensors, strict=True):
        for batch in engine.batches(sensor, pixels):
            count, rows, steps = batch.sequences.shape
            if engine.batch_size.is_static and count > 1:
                count = engine.batch_size.pixels(steps)
            found += backbone.products(count, rows, steps)
    return found + network.reducer.products(len(pixels))


def _key(product: Product) -> tuple[int, int, torch.dtype]:
    return product.rows, product.linear.inputs, product.linear.dtype
