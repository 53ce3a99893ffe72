# mypy: allow-subclassing-any
# (types of torch are skipped, so all its classes count as Any)
"""Tessera v2 students: the v1.1 layout with plain attention pooling and a nested representation.

The first 16, 32, 64 or 128 output dimensions can be used alone. Source: the public reference
(ucam-eo/tessera), rewritten from its description. B pixels, T observations, C channels, D width,
N heads of size S. Torch only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from consumer.recipes.tessera.layers import (
    FusedStack,
    PostNormLayer,
    Reducer,
    SensorBackbone,
    attend,
    weighted_sum,
)
from consumer.recipes.tessera.models import OPTICAL_VALUES, RADAR_VALUES, Backbone, Dimensions


class QkNormLayer(PostNormLayer):
    """An encoder layer that RMS-normalises queries and keys within each head, with a learned gain."""

    def __init__(self, width: int, heads: int, feedforward: int) -> None:
        super().__init__(width, feedforward)
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.q_norm = nn.RMSNorm(width // heads)  # its default eps is float32's machine epsilon
        self.k_norm = nn.RMSNorm(width // heads)

    def forward(self, tokens: Tensor) -> Tensor:
        query = self.q_norm(self._by_head(self.q_proj(tokens)))  # (B, N, T, S)
        key = self.k_norm(self._by_head(self.k_proj(tokens)))
        value = self._by_head(self.v_proj(tokens))
        mixed = attend(query, key, value)  # (B, T, D)
        return self.after_attention(tokens, self.out_proj(mixed))

    def _by_head(self, projected: Tensor) -> Tensor:
        return projected.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, T, D) -> (B, N, T, S)


class AttentionPooling(nn.Module):
    """Tokens weighted by how well each matches one learned query."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] == 1:
            return tokens[:, 0]
        return weighted_sum(self.query(tokens), tokens)  # (B, D)


class NetworkV2(nn.Module):
    """A whole student. Call a backbone per sensor, then `represent`."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        width, qk_norm = dimensions.width, dimensions.qk_norm
        self.s2_backbone = _backbone(OPTICAL_VALUES, width, dimensions.optical, qk_norm=qk_norm)
        self.s1_backbone = _backbone(RADAR_VALUES, width, dimensions.radar, qk_norm=qk_norm)
        self.dim_reducer = Reducer(width, dimensions.representation)

    def represent(self, optical: Tensor, radar: Tensor) -> Tensor:
        """The sensors' pooled tokens, (B, D) each -> (B, R), normalised without weights."""
        reduced: Tensor = self.dim_reducer(torch.cat([optical, radar], dim=1))
        return functional.layer_norm(reduced, reduced.shape[1:])


def _backbone(channels: int, width: int, size: Backbone, *, qk_norm: bool) -> SensorBackbone:
    encoder: nn.Module = FusedStack(width, size.layers, size.heads, size.feedforward)
    if qk_norm:  # its checkpoints number the layers without a level in between
        encoder = nn.Sequential(
            *(QkNormLayer(width, size.heads, size.feedforward) for _ in range(size.layers))
        )
    return SensorBackbone(channels, width, encoder=encoder, pooling=AttentionPooling(width))
