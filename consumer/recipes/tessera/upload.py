"""A host array on the device that infers, without the host waiting for the transfer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(array: NDArray[Any], device: torch.device) -> Tensor:
    """A contiguous copy of the array, of any strides, as a tensor on the device.

    For a GPU it goes through page-locked memory, from which the transfer runs beside other work; torch
    keeps that memory until the transfer has ended.
    """
    if device.type == "cpu":
        return torch.from_numpy(np.array(array, order="C"))
    dtype = torch.from_numpy(np.empty(0, dtype=array.dtype)).dtype
    staging = torch.empty(array.shape, dtype=dtype, pin_memory=True)
    staging.numpy()[...] = array
    return staging.to(device, non_blocking=True)
