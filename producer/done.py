"""Which tiles of a dataset are done, and which generation to ask of the others, from the names of commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from contract.artifact_names import commits_prefix
from contract.blob_store import BlobStore
from contract.commit import Standing, standing_of
from contract.tile_id import COLUMNS, ROWS, GridCell, TileId, WebTile, tile_of_path_name

FEW_TILES = 64
"""So few tiles are looked up one by one: a dataset can have a million commits to list."""


class Standings:
    """What the commits of one dataset say about each tile. As large for a thousand tiles as for a million."""

    def __init__(self) -> None:
        # One byte per cell of the whole grid (6.5 MB): a set of names would grow to hundreds.
        self._done_cells = bytearray(len(ROWS) * len(COLUMNS))
        self._done_web_tiles: set[WebTile] = set()
        self._has_done = False
        self._asked_again: dict[TileId, int] = {}

    def note(self, tile: TileId, standing: Standing) -> None:
        """Take in what the commits of one tile say."""
        if standing.is_done:
            self._set_done(tile)
        elif standing.asked > 1:
            self._asked_again[tile] = standing.asked

    @property
    def has_done(self) -> bool:
        """Whether any tile is done."""
        return self._has_done

    def is_done(self, tile: TileId) -> bool:
        """Its newest generation is committed and not revoked."""
        if isinstance(tile, GridCell):
            return bool(self._done_cells[_position(tile)])
        return tile in self._done_web_tiles

    def generation_to_ask(self, tile: TileId) -> int:
        """1, or one more than the newest revoked."""
        return self._asked_again.get(tile, 1)

    def _set_done(self, tile: TileId) -> None:
        self._has_done = True
        if isinstance(tile, GridCell):
            self._done_cells[_position(tile)] = 1
        else:
            self._done_web_tiles.add(tile)


def read_standings(store: BlobStore, dataset: str, tiles: Iterable[TileId], count: int) -> Standings:
    """Standings of at least the `count` given tiles, by listing names only."""
    standings = Standings()
    if count <= FEW_TILES:
        prefixes: Iterator[str] = (commits_prefix(dataset, tile) for tile in tiles)
    else:
        prefixes = iter((commits_prefix(dataset),))
    root = len(commits_prefix(dataset))
    for prefix in prefixes:
        # Lexical order keeps the names of one tile together.
        parts = (name[root:].partition("/") for name in store.names(prefix))
        for folder, records in groupby(parts, key=lambda part: part[0]):
            if (tile := tile_of_path_name(folder)) is not None:
                standings.note(tile, standing_of(record for _, _, record in records))
    return standings


def _position(cell: GridCell) -> int:
    return (cell.row - ROWS.start) * len(COLUMNS) + cell.column - COLUMNS.start
