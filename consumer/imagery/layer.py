"""How a kind of file is brought onto a grid."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """What its pixels are, and what stands between them."""

    dtype: str
    """Of what is returned."""
    nodata: float
    """Stands for "no data" in the file, if the file itself does not say, and in what is returned."""
    is_bilinear: bool
    """Otherwise the nearest pixel is taken."""
    stored_as: tuple[str, ...] = ()
    """Types that a file may have; empty: `dtype` alone."""
