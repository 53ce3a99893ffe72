"""What is known of each asked tile, in 21 bytes: a million tiles fit where a set of their names would not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from enum import IntFlag

import numpy as np

from contract.commit_marks import FINGERPRINT_MASK, Checksum
from contract.tile_id import COLUMNS, ROWS, GridCell, TileId, tile_of_path_name

_WEB_TILES_FROM = 2**60
_COORDINATE_BITS = 24


class Seen(IntFlag):
    """What listings said about a tile."""

    COMMITTED = 1
    """Its newest generation is committed and not revoked."""
    PUBLISHED = 2
    MARKED = 4
    """The commit says what its artifacts add up to."""
    REVOKED = 8
    """A newer generation is asked for, and not committed yet."""
    POISONED = 16
    """There is a poison entry."""


WHOLE = Seen.COMMITTED | Seen.PUBLISHED | Seen.MARKED


class TileTable:
    """The asked tiles, found by name. Arrays are indexed by a tile's place in the table."""

    def __init__(self, tiles: Iterable[TileId], count: int) -> None:
        """`tiles` are gone through once; there are `count` of them."""
        codes = np.fromiter((_code(tile) for tile in tiles), np.uint64, count)
        codes.sort()
        self._codes = memoryview(codes)  # type: ignore[arg-type]  # numpy arrays are buffers
        self.seen = bytearray(count)
        self._counts = memoryview(np.zeros(count, np.int32))  # type: ignore[arg-type]
        self._totals = memoryview(np.zeros(count, np.uint64))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._codes)

    def place(self, tile: TileId) -> int | None:
        """Where the tile is in the table; None: it was not asked for."""
        code = _code(tile)
        place = bisect_left(self._codes, code)
        return place if place < len(self._codes) and self._codes[place] == code else None

    def place_of_name(self, path_name: str) -> int | None:
        """The same by path name; None also for what is no tile's."""
        tile = tile_of_path_name(path_name)
        return self.place(tile) if tile is not None else None

    def add_artifact(self, place: int, fingerprint: int) -> None:
        """An artifact of the tile is there."""
        self._add(place, 1, fingerprint)

    def expect(self, place: int, expected: Checksum) -> None:
        """What the tile's commit says is there."""
        self._add(place, -expected.count, -expected.total)

    def balance(self, place: int) -> Checksum:
        """What is there less what was expected: zero for a tile that is whole."""
        return Checksum(self._counts[place], self._totals[place])

    def _add(self, place: int, count: int, total: int) -> None:
        self._counts[place] += count
        self._totals[place] = (self._totals[place] + total) & FINGERPRINT_MASK


def _code(tile: TileId) -> int:
    """A number that no other tile has."""
    if isinstance(tile, GridCell):
        return (tile.row - ROWS.start) * len(COLUMNS) + tile.column - COLUMNS.start
    return _WEB_TILES_FROM + (((tile.zoom << _COORDINATE_BITS) + tile.x) << _COORDINATE_BITS) + tile.y
