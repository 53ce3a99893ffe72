"""Which network a model's dimensions ask for, and the names and shapes of its weights."""

from __future__ import annotations

import torch

from consumer.recipes.tessera.models import Dimensions
from consumer.recipes.tessera.network_v1 import NetworkV1
from consumer.recipes.tessera.network_v2 import NetworkV2

Network = NetworkV1 | NetworkV2


def build_network(dimensions: Dimensions, state: dict[str, torch.Tensor]) -> Network:
    """The network with these weights, not copied, ready to infer."""
    with torch.device("meta"):
        network = _network(dimensions)
    network.load_state_dict(state, strict=True, assign=True)
    network.s2_backbone.fill_day_table()
    network.s1_backbone.fill_day_table()
    network.eval().requires_grad_(requires_grad=False)
    return network


def weight_shapes(dimensions: Dimensions) -> dict[str, tuple[int, ...]]:
    """Every tensor that a checkpoint of these dimensions must hold, without making one."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in _network(dimensions).state_dict().items()}


def _network(dimensions: Dimensions) -> Network:
    return NetworkV1(dimensions) if dimensions.family == "v1.1" else NetworkV2(dimensions)
