"""The finished blocks of one tile's inference: made by the thread that infers, taken by those that save.

Nothing is copied: a block is handed over as views of rows that nobody writes to any more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

Fingerprint = Mapping[str, str]
"""Everything that a block's bytes follow from, by name: two tiles that agree in all of it give the same blocks."""
Block = Sequence[bytes | memoryview]
"""One block's result as the recipe cuts it: the same buffers, in the same order, for every block."""


class Blocks:
    """One tile's, in the order of inference. Safe to share between threads."""

    def __init__(self, fingerprint: Fingerprint, total: int) -> None:
        self.fingerprint = fingerprint
        self.total = total
        """Blocks of the whole tile."""
        self._restored: list[Block] = []
        self._first = 0
        self._new: list[Block] = []
        self._lock = threading.Lock()

    @property
    def restored(self) -> int:
        """How many blocks an earlier attempt finished: this one begins behind them."""
        return self._first

    @property
    def finished(self) -> int:
        """How many are there, those of the earlier attempt included."""
        with self._lock:
            return self._first + len(self._new)

    def restore(self, blocks: Iterable[Block]) -> None:
        """Begin behind these. Before the inference; a second call takes the place of the first."""
        restored = list(blocks)
        if len(restored) > self.total:
            raise ValueError(f"{len(restored)} blocks were saved of a tile that has {self.total}")
        with self._lock:
            self._restored, self._first = restored, len(restored)

    def take_restored(self) -> list[Block]:
        """What an earlier attempt finished, for the recipe to put in its place; kept here no longer."""
        with self._lock:
            restored, self._restored = self._restored, []
            self._first, self._new = len(restored), []
            return restored

    def finish(self, *buffers: memoryview) -> None:
        """Called by the recipe after each block, with rows that it will not change any more."""
        with self._lock:
            self._new.append(buffers)

    def since(self, number: int) -> list[Block]:
        """The finished blocks from this number on; never those that were restored, which are stored already."""
        with self._lock:
            return self._new[max(0, number - self._first) :]

    def bytes_since(self, number: int) -> int:
        """Length of those."""
        return sum(len(buffer) for block in self.since(number) for buffer in block)
