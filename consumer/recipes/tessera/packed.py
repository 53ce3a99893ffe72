"""A linear layer prepared once for one device and number type, and only then called, many times.

The network's time is its matrix products. On a CPU they go to oneDNN, which multiplies in the widest
units there are (AMX tiles, AVX-512) and adds bias and ReLU before it rounds. It reads weights in blocks
of its own; torch's ordinary entry would reorder them at every call. The operators are those that torch's
own compiler emits for frozen weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional


class PackedLinear:
    """y = x W^T + b over the rows of a matrix, for x in the type that it was packed for."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, *, device: torch.device, dtype: torch.dtype, rows: int
    ) -> None:
        """weight: float32 (D, C); bias: (D,).

        rows: how many an input will usually have; on a CPU the layout of the blocks depends on it.
        """
        self.outputs: int = weight.shape[0]
        self.inputs: int = weight.shape[1]
        self.dtype = dtype
        self._weight = weight.detach().to(device, dtype).contiguous()
        self._bias = None if bias is None else bias.detach().to(device, dtype)
        self._is_packed = device.type == "cpu" and torch.backends.mkldnn.is_available()
        if self._is_packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, rows)  # noqa: SLF001

    def __call__(self, inputs: Tensor, *, relu: bool = False) -> Tensor:
        """(M, C) -> (M, D), then optionally max(., 0)."""
        if self._is_packed:
            kind = "relu" if relu else "none"
            out: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
                inputs, self._weight, self._bias, kind, [], ""
            )
            return out
        out = functional.linear(inputs, self._weight, self._bias)
        return out.relu_() if relu else out


@dataclass(frozen=True)
class Packer:
    """Packs a network's layers alike."""

    device: torch.device
    dtype: torch.dtype
    rows: int
    """Usual number of rows of an input."""

    def pack(self, weight: Tensor, bias: Tensor | None) -> PackedLinear:
        return PackedLinear(weight, bias, device=self.device, dtype=self.dtype, rows=self.rows)

    def exact(self) -> Packer:
        """For the few layers that stay in float32: they cost nothing and would lose digits."""
        return replace(self, dtype=torch.float32)


@dataclass(frozen=True)
class Product:
    """A matrix product that a batch asks for."""

    linear: PackedLinear
    rows: int
    times: int = 1
    """How often in a row, each on its own input."""

    @property
    def flops(self) -> int:
        """Floating-point operations, a multiplication and an addition counted as two."""
        return 2 * self.rows * self.linear.inputs * self.linear.outputs * self.times
