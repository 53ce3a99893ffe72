"""What a drill knows of its tiles without asking anybody: their names, their bytes, and which one meets the fault.

Worked out anew from what the toy recipe promises, so that a mistake there does not hide itself here.
"""

from __future__ import annotations

import hashlib
from typing import Any

from contract.tile_id import GridCell

YEAR = 2024
_SOUTH, _WEST, _COLUMNS = 540, -49, 6
"""Rows of six cells over the Isle of Man."""
MOST_TILES = 24


def region(count: int) -> tuple[str, list[str]]:
    """A bounding box for the producer and the names of its `count` tiles: rows of six, or one shorter row."""
    if count > _COLUMNS and count % _COLUMNS:
        raise ValueError(f"{count} tiles do not fill rows of {_COLUMNS}")
    rows, columns = max(1, count // _COLUMNS), min(count, _COLUMNS)
    box = (_WEST, _SOUTH, _WEST + columns, _SOUTH + rows)
    names = [GridCell(_SOUTH + row, _WEST + column).name for row in range(rows) for column in range(columns)]
    return "bbox:" + ",".join(f"{edge / 10:.1f}" for edge in box), names


def one_struck(seed: int, names: list[str]) -> tuple[str, float]:
    """The tile that a fault strikes first under this seed, and a share of tiles that strikes it alone."""
    lots = sorted(
        (int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:6]) / 2**48, name)
        for name in names
    )
    (lowest, struck), (second, _) = lots[:2]
    return struck, (lowest + second) / 2


def expected_bytes(dataset: str, tile: str, settings: dict[str, Any]) -> bytes:
    """Of each of the tile's artifacts."""

    def digest(suffix: str = "") -> bytes:
        return hashlib.sha256(f"{dataset} {tile}{suffix}".encode()).digest()

    def long(short: bytes, length: int) -> bytes:
        return (short * (length // len(short) + 1))[:length]

    blocks = int(settings.get("blocks", 1))
    if blocks == 1:
        result = digest()
    else:
        length = int(settings.get("block_bytes", 100))
        result = hashlib.sha256(b"".join(long(digest(f" {n}"), length) for n in range(blocks))).digest()
    return long(result, int(settings.get("artifact_bytes", 1000)))


def artifact_name(tile: str, number: int) -> str:
    """Below the dataset's root."""
    return f"toy/{YEAR}/{tile}/{number}.bin"
