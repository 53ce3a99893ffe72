# mypy: allow-subclassing-any
# (types of torch are skipped, so all its classes count as Any)
"""What both Tessera networks are built of, as plainly as can be: fast_backbone runs the same faster.

Shapes at line ends: B sequences (pixels), T observations, C channels, D width of a token,
N heads of size S = D / N, F width of the feed-forward layer. The attribute names are the
checkpoints' own, so a state dict loads as it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DAYS = 367
"""Rows of the day table: day 0 stands for "no observation", 366 occurs in leap years."""


def day_table(width: int) -> Tensor:
    """Sinusoidal position encoding (Vaswani et al. 2017) of every day of the year: (367, D).

    Computed in float32 as in training; days are whole numbers, so a table loses nothing.
    """
    days = torch.arange(DAYS, dtype=torch.float32)[:, None]
    frequencies = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    angles = days * frequencies  # (367, D/2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).reshape(DAYS, width)


class Embedding(nn.Sequential):
    """One observation's channels to a token, before its day is added."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(nn.Linear(channels, width), nn.ReLU(), nn.Linear(width, width))


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Unmasked attention, scaled by 1/sqrt(S): three times (B, N, T, S) -> (B, T, D)."""
    mixed = functional.scaled_dot_product_attention(query, key, value)  # (B, N, T, S)
    return mixed.transpose(1, 2).flatten(2)  # (B, T, D)


class FusedAttention(nn.Module):
    """Self-attention with one projection whose rows are those of query, key and value."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        projected = functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)  # (B, T, 3D)
        query, key, value = projected.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, N, T, S)
        out: Tensor = self.out_proj(attend(query, key, value))  # (B, T, D)
        return out


class PostNormLayer(nn.Module):
    """What follows attention in an encoder layer: add, normalise, feed forward, add, normalise."""

    def __init__(self, width: int, feedforward: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def after_attention(self, tokens: Tensor, attended: Tensor) -> Tensor:
        tokens = self.norm1(tokens + attended)  # (B, T, D)
        hidden = functional.relu(self.linear1(tokens))  # (B, T, F)
        out: Tensor = self.norm2(tokens + self.linear2(hidden))  # (B, T, D)
        return out


class FusedLayer(PostNormLayer):
    """One encoder layer as torch's own TransformerEncoderLayer names and orders it."""

    def __init__(self, width: int, heads: int, feedforward: int) -> None:
        super().__init__(width, feedforward)
        self.self_attn = FusedAttention(width, heads)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.after_attention(tokens, self.self_attn(tokens))


class FusedStack(nn.Module):
    """Encoder layers one after the other, with no norm after the last."""

    def __init__(self, width: int, layers: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(FusedLayer(width, heads, feedforward) for _ in range(layers))

    def forward(self, tokens: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens)  # (B, T, D)
        return tokens


def weighted_sum(scores: Tensor, tokens: Tensor) -> Tensor:
    """Softmax over time, then the mean of the tokens by it: (B, T, 1) and (B, T, D) -> (B, D)."""
    return (scores.softmax(dim=1) * tokens).sum(dim=1)


class Reducer(nn.Sequential):
    """Both sensors' pooled tokens, joined (B, 2D), to the representation (B, R)."""

    def __init__(self, width: int, representation: int) -> None:
        super().__init__(
            nn.Linear(2 * width, 4 * width),
            nn.LayerNorm(4 * width),
            nn.ReLU(),
            nn.Identity(),  # dropout while training; its place keeps the next layer's name
            nn.Linear(4 * width, representation),
        )


class SensorBackbone(nn.Module):
    """One sensor's observations of a pixel to one token: embed, add the day, encode, pool over time."""

    days: Tensor

    def __init__(self, channels: int, width: int, *, encoder: nn.Module, pooling: nn.Module) -> None:
        super().__init__()
        self.embedding = Embedding(channels, width)
        self.transformer_encoder = encoder
        self.attn_pool = pooling
        self.register_buffer("days", day_table(width), persistent=False)

    def fill_day_table(self) -> None:
        """Compute the table, which checkpoints do not hold, after a network was built without memory."""
        self.days = day_table(self.days.shape[1])

    def forward(self, values: Tensor, days: Tensor) -> Tensor:
        """(B, T, C) normalised channels and (B, T) days of the year -> (B, D)."""
        tokens = self.embedding(values) + self.days[days]  # (B, T, D)
        pooled: Tensor = self.attn_pool(self.transformer_encoder(tokens))  # (B, D)
        return pooled
