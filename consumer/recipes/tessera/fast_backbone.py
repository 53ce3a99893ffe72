"""One sensor's backbone as it runs: the same function as layers.SensorBackbone, arranged for speed.

Tokens stay in the products' type from the embedding to the pooling. Rows that repeat are computed once
and counted with their multiplicity. What is small and would lose digits (raw channels, pooling) is done in float32.

B sequences (pixels) of R distinct rows, T time steps, C channels, D width, N heads of size S,
M = B * R tokens. Torch only.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from consumer.recipes.tessera.attention import attend
from consumer.recipes.tessera.gru import RecurrentScores
from consumer.recipes.tessera.layers import FusedLayer, SensorBackbone
from consumer.recipes.tessera.network_v1 import GruPooling
from consumer.recipes.tessera.network_v2 import AttentionPooling, QkNormLayer
from consumer.recipes.tessera.packed import Packer, Product
from consumer.recipes.tessera.sequences import Sequences

Done = Callable[[str], None]
"""Called with the name of each part of the work after it: whoever waits can look in, or look at a clock."""


class FastNorm:
    """Layer normalisation, computed in float32 inside torch's kernel whatever the tokens' type."""

    def __init__(self, norm: nn.LayerNorm, packer: Packer) -> None:
        # On a CPU the kernel takes float32 gains to bf16 tokens; on a GPU both must be of one type.
        dtype = torch.float32 if packer.device.type == "cpu" else packer.dtype
        self._gain, self._shift = (part.to(packer.device, dtype) for part in (norm.weight, norm.bias))
        self._epsilon = norm.eps

    def __call__(self, tokens: Tensor) -> Tensor:
        return functional.layer_norm(tokens, self._gain.shape, self._gain, self._shift, self._epsilon)


class FastLayer:
    """One post-norm encoder layer, with or without normalised queries and keys."""

    def __init__(self, layer: FusedLayer | QkNormLayer, packer: Packer) -> None:
        self._heads, weight, bias, out = _projection(layer)
        width = weight.shape[1]
        scale = 1 / math.sqrt(width // self._heads)
        self._gains: tuple[Tensor, Tensor] | None = None
        if isinstance(layer, QkNormLayer):
            self._gains = (
                (scale * layer.q_norm.weight).to(packer.device),
                layer.k_norm.weight.to(packer.device),
            )
        else:  # the scores' scale goes into the query's rows, so that no pass over the scores is needed
            by_row = torch.ones(3 * width)
            by_row[:width] = scale
            weight, bias = weight * by_row[:, None], bias * by_row
        self._qkv = packer.pack(weight, bias)  # (3D, D)
        self._out = packer.pack(out.weight, out.bias)
        self._widen = packer.pack(layer.linear1.weight, layer.linear1.bias)
        self._narrow = packer.pack(layer.linear2.weight, layer.linear2.bias)
        self._norm1, self._norm2 = FastNorm(layer.norm1, packer), FastNorm(layer.norm2, packer)

    def __call__(self, tokens: Tensor, batch: int, row_bias: Tensor | None) -> Tensor:
        """(M, D) -> (M, D)"""
        projected = self._qkv(tokens)  # (M, 3D)
        parts = projected.unflatten(1, (3, self._heads, -1)).unflatten(0, (batch, -1))  # (B, R, 3, N, S)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (B, N, R, S) each
        if self._gains is not None:
            query, key = (_rms_norm(part, gain) for part, gain in zip((query, key), self._gains, strict=True))
        tokens = self._norm1(self._out(attend(query, key, value, row_bias)).add_(tokens))
        return self._norm2(self._narrow(self._widen(tokens, relu=True)).add_(tokens))

    def products(self, tokens: int) -> list[Product]:
        return [Product(linear, tokens) for linear in (self._qkv, self._out, self._widen, self._narrow)]


class FastBackbone:
    """One sensor's sequences to one vector per pixel."""

    def __init__(self, backbone: SensorBackbone, packer: Packer) -> None:
        first, _, second = backbone.embedding
        self._channels = packer.exact().pack(first.weight, first.bias)
        self._embedding = packer.pack(second.weight, second.bias)
        self._days = backbone.days.to(packer.device, packer.dtype)  # (367, D)
        encoder = backbone.transformer_encoder
        self._layers = [FastLayer(layer, packer) for layer in getattr(encoder, "layers", encoder)]
        pooling = backbone.attn_pool
        self._recurrent = RecurrentScores(pooling, packer) if isinstance(pooling, GruPooling) else None
        if isinstance(pooling, AttentionPooling):
            self._query = pooling.query.weight[0].to(packer.device)  # (D,)

    def __call__(self, sequences: Sequences, done: Done) -> Tensor:
        """-> (B, D) float32"""
        batch, rows, _ = sequences.shape
        row_bias = None if sequences.copies is None else sequences.copies.log()
        tokens = self._embed(sequences)  # (M, D)
        done("embedding")
        for layer in self._layers:
            tokens = layer(tokens, batch, row_bias)
            done("transformer")
        shares = self._shares(tokens, sequences, row_bias, done)  # (B, R)
        by_row = tokens.float().unflatten(0, (batch, rows))  # (B, R, D)
        pooled = torch.bmm(shares[:, None, :], by_row)[:, 0]
        done("pooling")
        return pooled

    def _embed(self, sequences: Sequences) -> Tensor:
        hidden = self._channels(sequences.values.flatten(0, 1), relu=True)  # (M, D)
        day_codes = self._days.index_select(0, sequences.days.flatten())  # (M, D)
        return self._embedding(hidden.to(self._embedding.dtype)).add_(day_codes)

    def _shares(self, tokens: Tensor, sequences: Sequences, row_bias: Tensor | None, done: Done) -> Tensor:
        """What each row contributes to its sequence's vector, summing to one: (B, R) float32."""
        if self._recurrent is None:
            scores = (tokens.float() @ self._query).view(sequences.days.shape)
            return (scores if row_bias is None else scores + row_bias).softmax(dim=1)
        by_step = self._recurrent(tokens, sequences, done).softmax(dim=1)  # (B, T)
        if sequences.copies is None:
            return by_step
        return torch.zeros_like(sequences.copies).scatter_add_(1, sequences.order, by_step)

    def products(self, batch: int, rows: int, steps: int) -> list[Product]:
        """The matrix products by learned weights that such sequences take, in order."""
        tokens = batch * rows
        found = [Product(self._channels, tokens), Product(self._embedding, tokens)]
        for layer in self._layers:
            found += layer.products(tokens)
        return found + (self._recurrent.products(batch, rows, steps) if self._recurrent else [])


def _projection(layer: FusedLayer | QkNormLayer) -> tuple[int, Tensor, Tensor, nn.Linear]:
    """Heads, joint weight (3D, D) and bias (3D,) of query, key and value, and the output's projection."""
    if isinstance(layer, FusedLayer):
        attention = layer.self_attn
        return attention.heads, attention.in_proj_weight, attention.in_proj_bias, attention.out_proj
    parts = (layer.q_proj, layer.k_proj, layer.v_proj)
    weight = torch.cat([part.weight for part in parts])
    return layer.heads, weight, torch.cat([part.bias for part in parts]), layer.out_proj


def _rms_norm(part: Tensor, gain: Tensor) -> Tensor:
    """Over each head: (B, N, R, S) -> (B, N, R, S). The epsilon is the reference's, float32's own."""
    exact = functional.rms_norm(part.float(), gain.shape, gain, torch.finfo(torch.float32).eps)
    return exact.to(part.dtype)
