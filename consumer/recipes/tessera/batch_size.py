"""How many pixels go through a backbone at a time, from the sizes of model and device alone.

Never from what is free or how fast something ran: results must repeat to the byte, and a matrix
product's last bit may depend on its number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from consumer.recipes.tessera.models import Dimensions

CPU_TOKENS = 4_096
"""Tokens (pixels x observations) of a batch on a CPU: enough for its matrix units, and an activation
stays within reach of the caches. From 2048 to 8192 it makes a few percent."""
LARGEST_GPU_TOKENS = 262_144
"""3640 pixels of 72 observations: past this a GPU gains nothing."""
SHARE_OF_MEMORY = 0.25
"""Of a GPU's memory for one batch's activations; weights, a block's imagery and the driver need the rest."""

CPU_BLOCK_PIXELS = 32_768
"""Pixels of a block when its rows are not given: enough to fill batches, small beside a cube."""
GPU_BLOCK_PIXELS = 262_144


@dataclass(frozen=True)
class BatchSize:
    """A rule for one model on one device."""

    tokens: int
    block_pixels: int
    is_static: bool
    """Every batch of one length has the same number of pixels, the last one filled up."""

    def pixels(self, length: int) -> int:
        """Pixels of a batch of sequences of that length."""
        return max(1, self.tokens // length)


def batch_size_for(device: torch.device, dimensions: Dimensions, products: torch.dtype) -> BatchSize:
    """The rule for this device; a GPU's depends on its model's memory, not on what others use of it."""
    if device.type == "cpu":
        return BatchSize(CPU_TOKENS, CPU_BLOCK_PIXELS, is_static=False)
    memory_bytes = torch.cuda.get_device_properties(device).total_memory
    return BatchSize(
        gpu_tokens(memory_bytes, dimensions, products.itemsize), GPU_BLOCK_PIXELS, is_static=True
    )


def gpu_tokens(memory_bytes: int, dimensions: Dimensions, bytes_per_number: int) -> int:
    """A power of two of tokens whose activations fit: tokens, queries, keys, values, what the recurrent
    cell takes of them (3 D each), the feed-forward layer's inside, and the pooling's float32 copy."""
    feedforward = max(dimensions.optical.feedforward, dimensions.radar.feedforward)
    token_bytes = bytes_per_number * (10 * dimensions.width + feedforward) + 4 * dimensions.width
    fitting = max(1, int(SHARE_OF_MEMORY * memory_bytes) // token_bytes)
    return min(LARGEST_GPU_TOKENS, 1 << (fitting.bit_length() - 1))
