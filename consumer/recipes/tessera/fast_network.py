"""The two ways to run a network: fast and packed for a device, or slow and obvious.

Both take the same sequences, so one can be held against the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from consumer.recipes.tessera.fast_backbone import Done, FastBackbone, FastNorm
from consumer.recipes.tessera.layers import Reducer
from consumer.recipes.tessera.network import Network
from consumer.recipes.tessera.network_v2 import NetworkV2
from consumer.recipes.tessera.packed import Packer, Product
from consumer.recipes.tessera.sequences import Sequences


class Encoder(Protocol):
    """One sensor's sequences to one vector per pixel, (B, D) float32."""

    def __call__(self, sequences: Sequences, done: Done) -> Tensor: ...


class Runner(Protocol):
    """A network on a device."""

    @property
    def optical(self) -> Encoder: ...
    @property
    def radar(self) -> Encoder: ...

    def represent(self, optical: Tensor, radar: Tensor) -> Tensor:
        """Both sensors' vectors, (N, D) float32 each -> (N, R) float32."""


class FastNetwork:
    """The network's weights packed for one device and number type."""

    def __init__(
        self, network: Network, packer: Packer, wrap: Callable[[FastBackbone], Encoder] | None = None
    ) -> None:
        """wrap: what is put around each backbone, if anything."""
        self.backbones = tuple(
            FastBackbone(backbone, packer) for backbone in (network.s2_backbone, network.s1_backbone)
        )
        self.optical, self.radar = (wrap(backbone) if wrap else backbone for backbone in self.backbones)
        self.reducer = FastReducer(network.dim_reducer, packer.exact())
        self._standardises = isinstance(network, NetworkV2)

    def represent(self, optical: Tensor, radar: Tensor) -> Tensor:
        reduced = self.reducer(torch.cat([optical, radar], dim=1))
        return functional.layer_norm(reduced, reduced.shape[1:]) if self._standardises else reduced


class FastReducer:
    """Once per pixel, not per observation: a thousandth of the work, so it stays in float32."""

    def __init__(self, reducer: Reducer, packer: Packer) -> None:
        first, norm, _, _, last = reducer
        self._first = packer.pack(first.weight, first.bias)
        self._norm = FastNorm(norm, packer)
        self._last = packer.pack(last.weight, last.bias)

    def __call__(self, joined: Tensor) -> Tensor:
        """(N, 2D) -> (N, R)"""
        return self._last(self._norm(self._first(joined)).relu_())

    def products(self, pixels: int) -> list[Product]:
        return [Product(self._first, pixels), Product(self._last, pixels)]


class PlainNetwork:
    """The network as its definition reads: float32, every time step a row, whatever it repeats."""

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network.to(device)
        self.optical = PlainBackbone(self._network.s2_backbone)
        self.radar = PlainBackbone(self._network.s1_backbone)

    def represent(self, optical: Tensor, radar: Tensor) -> Tensor:
        return self._network.represent(optical, radar)


class PlainBackbone:
    """Writes repeated rows out and calls the module."""

    def __init__(self, backbone: nn.Module) -> None:
        self._backbone = backbone

    def __call__(self, sequences: Sequences, done: Done) -> Tensor:
        order = sequences.order  # (B, T)
        channels = sequences.values.shape[2]
        values = sequences.values.gather(1, order[:, :, None].expand(-1, -1, channels))  # (B, T, C)
        pooled: Tensor = self._backbone(values, sequences.days.gather(1, order))
        done("transformer")
        return pooled
