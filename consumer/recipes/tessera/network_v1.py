# mypy: allow-subclassing-any
# (types of torch are skipped, so all its classes count as Any)
"""Tessera v1.1: two transformers over time, each pooled with the help of a GRU, then one reducer.

Source: the public v1.1 reference (ucam-eo/tessera), rewritten from its description. B pixels,
T observations, C channels, D width, R representation. Torch only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from consumer.recipes.tessera.layers import FusedStack, Reducer, SensorBackbone, weighted_sum
from consumer.recipes.tessera.models import OPTICAL_VALUES, RADAR_VALUES, Backbone, Dimensions


class GruCell(nn.Module):
    """A recurrent cell that library kernels cannot replace.

    It differs from the usual GRU twice: the reset gate meets the state *before* the recurrent
    matrix, and the update gate weights the *new* state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        for name in ("W_ir", "W_iz", "W_ih", "W_hr", "W_hz", "W_hh"):
            setattr(self, name, nn.Linear(width, width, bias=False))
        for name in ("b_r", "b_z", "b_h"):
            setattr(self, name, nn.Parameter(torch.empty(width)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden state after each step, from zeros: (B, T, D) -> (B, T, D)."""
        state = tokens.new_zeros(tokens.shape[0], tokens.shape[2])  # (B, D)
        states = []
        for token in tokens.unbind(dim=1):  # (B, D) each
            reset = torch.sigmoid(self.W_ir(token) + self.W_hr(state) + self.b_r)
            update = torch.sigmoid(self.W_iz(token) + self.W_hz(state) + self.b_z)
            proposal = torch.tanh(self.W_ih(token) + self.W_hh(reset * state) + self.b_h)
            state = (1 - update) * state + update * proposal
            states.append(state)
        return torch.stack(states, dim=1)  # (B, T, D)


class GruContext(nn.Module):
    """Holds the cell under the checkpoints' name for it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru_cell = GruCell(width)

    def forward(self, tokens: Tensor) -> Tensor:
        states: Tensor = self.gru_cell(tokens)
        return states


class GruPooling(nn.Module):
    """Weighs tokens by what a GRU has seen up to each: the sum is of the tokens, not of its states."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, 1)
        self.temporal_context = GruContext(width)
        self.layer_norm = nn.LayerNorm(width)

    def scores(self, states: Tensor) -> Tensor:
        scores: Tensor = self.query(self.layer_norm(states))  # (B, T, 1)
        return scores

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] == 1:
            return tokens[:, 0]
        return weighted_sum(self.scores(self.temporal_context(tokens)), tokens)  # (B, D)


class NetworkV1(nn.Module):
    """The whole of v1.1. Call a backbone per sensor, then `represent`."""

    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        width = dimensions.width
        self.s2_backbone = _backbone(OPTICAL_VALUES, width, dimensions.optical)
        self.s1_backbone = _backbone(RADAR_VALUES, width, dimensions.radar)
        self.dim_reducer = Reducer(width, dimensions.representation)

    def represent(self, optical: Tensor, radar: Tensor) -> Tensor:
        """The sensors' pooled tokens, (B, D) each -> (B, R); the first 128 of R are published."""
        representation: Tensor = self.dim_reducer(torch.cat([optical, radar], dim=1))
        return representation


def _backbone(channels: int, width: int, size: Backbone) -> SensorBackbone:
    encoder = FusedStack(width, size.layers, size.heads, size.feedforward)
    return SensorBackbone(channels, width, encoder=encoder, pooling=GruPooling(width))
