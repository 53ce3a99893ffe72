"""What goes into a backbone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sequences:
    """What a backbone sees of B pixels of one sequence length T."""

    values: Tensor
    """(B, R, C) float32, normalised."""
    days: Tensor
    """(B, R) day of the year."""
    order: Tensor
    """(B, T) the row that each time step shows."""
    copies: Tensor | None
    """(B, R) float32, how many time steps show the row, 0 for one that fills up; None = each exactly one,
    in order."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, R, T)"""
        return self.days.shape[0], self.days.shape[1], self.order.shape[1]
