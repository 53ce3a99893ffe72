"""Self-attention over short sequences of distinct rows, in the form that each device does best.

B sequences of R rows, N heads of size S, D = N S. The 1/sqrt(S) of the scores is in the queries already.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def attend(query: Tensor, key: Tensor, value: Tensor, row_bias: Tensor | None) -> Tensor:
    """Three times (B, N, R, S) -> (B * R, D). A row that stands m times in its sequence is m equal keys.

    row_bias: (B, R) the logarithm of m; -inf for a row that fills up a batch; None = all stand once.
    softmax over repeated keys gives each of m copies exp(s) / total; together m exp(s) = exp(s + ln m).
    """
    if query.dtype == torch.bfloat16 and query.device.type == "cpu":
        mixed = _by_two_products(query, key, value, row_bias)
    else:
        mask = None if row_bias is None else row_bias[:, None, None, :]  # (B, 1, 1, R)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
    return mixed.transpose(1, 2).flatten(2).flatten(0, 1)


def _by_two_products(query: Tensor, key: Tensor, value: Tensor, row_bias: Tensor | None) -> Tensor:
    """The whole score matrix at once: up to 256 rows it fits a core's cache.

    2.5 times as fast as torch's fused kernel for v1.1's heads of 192 (benchmarks in docs/performance.md).
    """
    batch, heads, rows, size = query.shape
    query, key, value = (part.reshape(batch * heads, rows, size) for part in (query, key, value))
    keys = key.transpose(1, 2)  # (BN, S, R)
    if row_bias is None:
        scores = torch.bmm(query, keys)  # (BN, R, R)
    else:
        bias = row_bias.to(query.dtype).repeat_interleave(heads, dim=0)[:, None, :]  # (BN, 1, R)
        scores = torch.baddbmm(bias, query, keys)
    shares = torch.softmax(scores, dim=2, dtype=torch.float32).to(value.dtype)
    return torch.bmm(shares, value).unflatten(0, (batch, heads))  # (B, N, R, S)
