# mypy: allow-subclassing-any
# (types of torch are skipped, so all its classes count as Any)
"""Tessera v1.1: two transformers over time, each pooled with the help of a GRU, then one reducer.

Source: the public v1.1 reference (ucam-eo/tessera), rewritten from its description. B pixels,
T observations, C channels, D width, R representation. Torch only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from consumer.recipes.tessera.layers import FusedStack, Linear, Reducer, SensorBackbone, linear, weighted_sum
from consumer.recipes.tessera.models import OPTICAL_VALUES, RADAR_VALUES, Backbone, Dimensions


class GruCell(nn.Module):
    """A recurrent cell that library kernels cannot replace.

    It differs from the usual GRU twice: the reset gate meets the state *before* the recurrent
    matrix, and the update gate weights the *new* state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        for name in ("W_ir", "W_iz", "W_ih", "W_hr", "W_hz", "W_hh"):
            setattr(self, name, Linear(width, width, bias=False))
        for name in ("b_r", "b_z", "b_h"):
            setattr(self, name, nn.Parameter(torch.empty(width)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden state after each step, from zeros: (B, T, D) -> (B, T, D)."""
        from_input = self._project_inputs(tokens)
        recurrent_gates = torch.cat([self.W_hr.weight, self.W_hz.weight])  # (2D, D)
        state = tokens.new_zeros(tokens.shape[0], tokens.shape[2])  # (B, D)
        states = []
        for input_gates, input_state in from_input:
            gates = torch.sigmoid(input_gates + linear(state, recurrent_gates))  # (B, 2D)
            reset, update = gates.chunk(2, dim=1)  # (B, D) each
            proposal = torch.tanh(input_state + self.W_hh(reset * state))  # (B, D)
            state = state + update * (proposal - state)  # float32 also where the products are not
            states.append(state)
        return torch.stack(states, dim=1)  # (B, T, D)

    def _project_inputs(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per step what the input adds to both gates (B, 2D) and to the proposal (B, D).

        No step depends on another here, so one product serves them all.
        """
        weight = torch.cat([self.W_ir.weight, self.W_iz.weight, self.W_ih.weight])  # (3D, D)
        bias = torch.cat([self.b_r, self.b_z, self.b_h])  # (3D,)
        by_time = linear(tokens.transpose(0, 1), weight, bias)  # (T, B, 3D)
        width = tokens.shape[2]
        return [(step[:, : 2 * width], step[:, 2 * width :]) for step in by_time]


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
        self.query = Linear(width, 1)
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
