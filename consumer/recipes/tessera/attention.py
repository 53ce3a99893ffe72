"""Self-attention over short sequences of distinct rows, in the form that each device does best.

B sequences of R rows, N heads of size S, D = N S. The 1/sqrt(S) of the scores is in the queries already.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST_TOTAL, LARGEST_TOTAL = 1e-30, 1e30
"""Sums of exponentials between these are exact enough: float32 and bf16 reach from 1e-38 to 3e38."""


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

    2.5 times as fast as torch's fused kernel for v1.1's heads of 192 (docs/performance.md).
    """
    batch, heads, rows, size = query.shape
    query, key, value = (part.reshape(batch * heads, rows, size) for part in (query, key, value))
    if row_bias is not None:
        row_bias = row_bias.to(query.dtype).repeat_interleave(heads, dim=0)[:, None, :]  # (BN, 1, R)
    mixed = _normalising_last(query, key, value, row_bias) if size < rows else None
    if mixed is None:
        shares = torch.softmax(_scores(query, key, row_bias), dim=2, dtype=torch.float32)
        mixed = torch.bmm(shares.to(value.dtype), value)
    return mixed.unflatten(0, (batch, heads))  # (B, N, R, S)


def _normalising_last(query: Tensor, key: Tensor, value: Tensor, row_bias: Tensor | None) -> Tensor | None:
    """sum_j exp(s_j) v_j / sum_j exp(s_j), (BN, R, S), or None where that is no softmax in these numbers.

    Softmax first subtracts the largest score, only to keep exp within range, and divides each share.
    For narrow heads those passes over R x R scores cost more than the products. So exp is taken as it
    is, and the sums tell afterwards whether it was within range: then every row's largest term is far
    from underflow, and what is lost of the others is below rounding.
    """
    shares = _scores(query, key, row_bias).exp_()  # (BN, R, R)
    total = shares.sum(dim=2, keepdim=True).float()  # (BN, R, 1), added up in float32
    least, most = torch.aminmax(total)
    if not (least > SMALLEST_TOTAL and most < LARGEST_TOTAL):  # also for NaN
        return None
    return torch.bmm(shares, value).float().div_(total).to(value.dtype)


def _scores(query: Tensor, key: Tensor, row_bias: Tensor | None) -> Tensor:
    """(BN, R, S) twice and (BN, 1, R) -> (BN, R, R)"""
    keys = key.transpose(1, 2)
    return torch.bmm(query, keys) if row_bias is None else torch.baddbmm(row_bias, query, keys)
