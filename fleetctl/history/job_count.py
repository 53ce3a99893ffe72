"""How many of one job's tiles are committed or explained: counted from a listing now and then, kept up by `done`
lines in between. A line may come late, twice or never; the next listing has it all.

A tile is eight bytes here, the hash of its name: a job of the whole world fits into 13 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
"""Sorted, each once."""


def tile_hash(path_name: str) -> int:
    """Of a tile's path name. Two of a million tiles share one with a probability of 3 in 100 million."""
    return int.from_bytes(hashlib.blake2b(path_name.encode(), digest_size=8).digest(), "little")


def hashes(path_names: Iterable[str]) -> Hashes:
    """Of many tiles, sorted."""
    return np.unique(np.fromiter((tile_hash(name) for name in path_names), dtype=np.uint64))


def asked_path_names(asked: bytes) -> Iterator[str]:
    """Of the tiles of an asked list."""
    return (line.replace("/", "-") for line in asked.decode("ascii").splitlines())


def standing_tiles(names: Iterable[str], prefix: str) -> Iterator[str]:
    """Path names of the tiles whose newest generation is committed and not revoked, from a listing in its order."""
    for tile, of_tile in groupby(names, key=lambda name: name.removeprefix(prefix).partition("/")[0]):
        newest: tuple[int, bool] = (0, False)
        for name in of_tile:
            generation, _, rest = name.rpartition("/")[2].removeprefix("g").partition(".")
            if generation.isdigit():
                newest = max(newest, (int(generation), rest == "revoked"))
        if newest[0] and not newest[1]:
            yield tile


@dataclass
class JobCount:
    """One job. Numbers of before the first listing are zero: nothing is known to be done."""

    asked: int
    committed_listed: int = 0
    explained_listed: int = 0
    left: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    """Neither committed nor explained, by the last listing."""
    done_at: dict[int, float] = field(default_factory=dict)
    """Tiles of `left` with a `done` line since, and when we read it (our own clock)."""
    poisoned_at: dict[int, float] = field(default_factory=dict)
    is_listed: bool = False

    @property
    def committed(self) -> int:
        return self.committed_listed + len(self.done_at)

    @property
    def explained(self) -> int:
        return self.explained_listed + len(self.poisoned_at.keys() - self.done_at.keys())

    def on_done(self, tile: int, at: float) -> None:
        if self._is_left(tile):
            self.done_at.setdefault(tile, at)

    def on_poisoned(self, tile: int, at: float) -> None:
        if self._is_left(tile):
            self.poisoned_at.setdefault(tile, at)

    def on_listing(self, asked: Hashes, committed: Hashes, poisoned: Hashes, began: float) -> None:
        """Take what a listing that began then says; lines that were read since go on counting."""
        is_committed = np.isin(asked, committed, assume_unique=True)
        is_poisoned = np.isin(asked, poisoned, assume_unique=True) & ~is_committed
        self.committed_listed = int(is_committed.sum())
        self.explained_listed = int(is_poisoned.sum())
        self.left = asked[~(is_committed | is_poisoned)]
        self.is_listed = True
        self.done_at = self._since(self.done_at, began)
        self.poisoned_at = self._since(self.poisoned_at, began)

    def _since(self, read_at: dict[int, float], began: float) -> dict[int, float]:
        return {tile: at for tile, at in read_at.items() if at >= began and self._is_left(tile)}

    def _is_left(self, tile: int) -> bool:
        place = int(np.searchsorted(self.left, np.uint64(tile)))
        return place < len(self.left) and int(self.left[place]) == tile
