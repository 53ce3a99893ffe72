"""v1.1's recurrent pooling weights, with everything taken out of the time loop that need not be in it.

The cell is that of network_v1.GruCell, which says how it differs from a library's. What the inputs
contribute is one product over all rows; each step then has two products left, both gates sharing one.
B sequences of R distinct rows over T steps, D width. Torch only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from consumer.recipes.tessera.network_v1 import GruPooling
from consumer.recipes.tessera.packed import Packer, Product
from consumer.recipes.tessera.sequences import Sequences


class RecurrentScores:
    """The score of each time step, from the state that the recurrent cell has reached there."""

    def __init__(self, pooling: GruPooling, packer: Packer) -> None:
        cell = pooling.temporal_context.gru_cell
        self._inputs = packer.pack(
            torch.cat([cell.W_ir.weight, cell.W_iz.weight, cell.W_ih.weight]),
            torch.cat([cell.b_r, cell.b_z, cell.b_h]),
        )  # (3D, D)
        self._gates = packer.pack(torch.cat([cell.W_hr.weight, cell.W_hz.weight]), None)  # (2D, D)
        self._proposal = packer.pack(cell.W_hh.weight, None)  # (D, D)
        # A score is query . (gain * x + shift) for the standardised state x. Softmax over time does not
        # see what all steps share, so of query and norm only this product remains.
        self._query = (pooling.query.weight[0] * pooling.layer_norm.weight).to(packer.device)  # (D,)
        self._width = len(self._query)
        self._epsilon = pooling.layer_norm.eps

    def __call__(self, tokens: Tensor, sequences: Sequences, done: Callable[[str], None]) -> Tensor:
        """tokens: (B * R, D) -> (B, T).

        The state is kept in float32 whatever the products' type: it is the one sum that runs on.
        """
        batch, _, steps = sequences.shape
        from_inputs = self._inputs(tokens)  # (B * R, 3D)
        state = torch.zeros((batch, self._width), device=tokens.device)
        scores = torch.empty((steps, batch), device=tokens.device)
        for step, from_input in enumerate(_by_step(from_inputs, sequences)):
            state = self._step(state, from_input)
            standardised = functional.layer_norm(state, (self._width,), eps=self._epsilon)
            torch.mv(standardised, self._query, out=scores[step])
            done("pooling")
        return scores.t()

    def _step(self, state: Tensor, from_inputs: Tensor) -> Tensor:
        """One time step: (B, D) float32 and (B, 3D) -> (B, D) float32."""
        rounded = state.to(from_inputs.dtype)
        gates = self._gates(rounded).add_(from_inputs[:, : 2 * self._width]).sigmoid_()  # (B, 2D)
        reset, update = gates.chunk(2, dim=1)  # (B, D) each
        proposal = self._proposal(reset * rounded).add_(from_inputs[:, 2 * self._width :]).tanh_()
        return state + update * (proposal - state)

    def products(self, batch: int, rows: int, steps: int) -> list[Product]:
        return [
            Product(self._inputs, batch * rows),
            Product(self._gates, batch, times=steps),
            Product(self._proposal, batch, times=steps),
        ]


def _by_step(from_inputs: Tensor, sequences: Sequences) -> Iterator[Tensor]:
    """What each step's row contributes: (B * R, 3D) -> T times (B, 3D).

    Step t shows row t until the first sequence of the batch runs out of observations; up to there no
    copy is needed.
    """
    batch, rows, steps = sequences.shape
    order = sequences.order  # (B, T)
    in_order = steps
    if sequences.copies is not None:
        as_counted = (order == torch.arange(steps, device=order.device)).all(dim=0)  # (T,)
        in_order = int(as_counted.int().cumprod(dim=0).sum())
    yield from from_inputs.unflatten(0, (batch, rows)).unbind(dim=1)[:in_order]
    first_rows = torch.arange(batch, device=order.device) * rows
    for step in range(in_order, steps):
        yield from_inputs.index_select(0, first_rows + order[:, step])
