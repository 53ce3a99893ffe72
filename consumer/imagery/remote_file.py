"""One remote file of which a few pieces are here: the header at once, then the blocks that are needed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

from consumer.imagery.connections import Answer

HEADER_BYTES = 32768
"""First request. The block index of a whole Sentinel-2 band takes 10 KB, that of a radar scene 28."""
LARGEST_GAP_BYTES = 4096
"""Blocks with less between them come in one request."""
LARGEST_REQUEST_BYTES = 8 << 20
MOST_PIECES = 64
"""Pieces asked for one by one while the header is read; a file that wants more has no header."""

Range = tuple[int, int]
"""(first byte, number of bytes)"""


class FileChanged(Exception):
    """The file was replaced while it was read: its pieces do not belong together."""


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Neighbouring ranges in one request each, in the file's order."""
    together: list[Range] = []
    for first, length in sorted(ranges):
        if together:
            begin, so_far = together[-1]
            span = max(first + length - begin, so_far)
            if first <= begin + so_far + LARGEST_GAP_BYTES and span <= LARGEST_REQUEST_BYTES:
                together[-1] = (begin, span)
                continue
        together.append((first, length))
    return together


class RemoteFile(io.RawIOBase):
    """Reads like a file. What is not here yet is fetched, in pieces of HEADER_BYTES at least."""

    def __init__(self, get: Callable[[int, int], Answer]) -> None:
        """`get(first, last)` fetches bytes; the first piece is fetched at once."""
        super().__init__()
        self._get = get
        self._pieces: list[tuple[int, bytes]] = []
        self._position = 0
        answer = get(0, HEADER_BYTES - 1)
        self.total_bytes = answer.total_bytes
        self._etag = answer.etag
        self._pieces.append((0, answer.body))

    def fetch(self, ranges: Iterable[Range]) -> None:
        """Bring these bytes here, in as few requests as are sensible."""
        for first, length in merged(one for one in ranges if self._find(*one) is None):
            self._fetch(first, length)

    def bytes_at(self, first: int, length: int) -> memoryview:
        """Bytes of the file; fewer at its end. No copy: a tile's blocks come to hundreds of megabytes."""
        length = min(length, max(self.total_bytes - first, 0))
        found = self._find(first, length)
        if found is None:
            if len(self._pieces) >= MOST_PIECES:
                raise ValueError(f"more than {MOST_PIECES} pieces of it do not make a header")
            self._fetch(first, max(length, HEADER_BYTES))
            found = self._find(first, length)
        if found is None:
            raise EOFError(f"expected {length} bytes at {first}, got fewer")
        return found

    def _find(self, first: int, length: int) -> memoryview | None:
        for begin, piece in self._pieces:
            if begin <= first and first + length <= begin + len(piece):
                return memoryview(piece)[first - begin : first - begin + length]
        return None

    def _fetch(self, first: int, length: int) -> None:
        answer = self._get(first, min(first + length, self.total_bytes) - 1)
        if (answer.etag, answer.total_bytes) != (self._etag, self.total_bytes):
            raise FileChanged("it was replaced while it was read")
        self._pieces.append((first, answer.body))

    def close(self) -> None:
        """Let go of the pieces. tifffile's objects hold each other, and through them this one, until Python
        happens to collect cycles: by then a year's files would have come to gigabytes."""
        self._pieces.clear()
        super().close()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.total_bytes}[whence]
        self._position = origin + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        wanted = self.total_bytes - self._position if size < 0 else size
        found = self.bytes_at(self._position, wanted)
        self._position += len(found)
        return bytes(found)
