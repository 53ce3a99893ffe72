"""Follows the ledger: which blobs have grown, by one listing; what they gained, several at a time.

Two thousand workers flush every two seconds, and one read per blob and pass would cost a core. So a pass reads
a bounded number of blobs, those that waited longest first: few workers are read at every pass, two thousand
about once in 45 seconds, which is soon enough for what is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.errors import NotFound
from contract.ledger import Positions, whole_events
from contract.ledger_events import Event

BLOBS_PER_PASS = 500
READ_BYTES = 1024 * 1024
"""Of one blob in one pass: a minute of a worker's lines is a few kilobytes."""
CONNECTIONS = 8
STALE = timedelta(days=1)
"""Blobs that nobody wrote to for so long are not read at a first start: nothing in them concerns now."""


class LedgerTail:
    """All streams of a container. Used by one thread."""

    def __init__(self, store: BlobStore, positions: Mapping[str, int] | None = None) -> None:
        """`positions`: of an earlier run; None: a first start, which begins with what was written lately."""
        self._store = store
        self._is_first = positions is None
        self.positions: Positions = dict(positions or {})
        self._passes = 0
        self._read_in: dict[str, int] = {}
        """In which pass a blob was read last."""
        self.malformed_lines = 0

    def read_new(self) -> list[Event]:
        """What the blobs gained that were read in this pass. StorageError: nothing of it counts as read."""
        grown = self._grown()
        self._passes += 1
        grown.sort(key=lambda blob: self._read_in.get(blob.name, 0))
        chosen = grown[:BLOBS_PER_PASS]
        events: list[Event] = []
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="tail") as pool:
            pieces = list(pool.map(self._read, chosen))
        for blob, data in zip(chosen, pieces, strict=True):
            found, length, malformed = whole_events(data)
            events += found
            self.malformed_lines += malformed
            self.positions[blob.name] = self.positions.get(blob.name, 0) + length
            self._read_in[blob.name] = self._passes
        return events

    def ends(self) -> Positions:
        """How long each blob is now. StorageError."""
        return {blob.name: blob.length for blob in self._store.listing(artifact_names.LEDGER_PREFIX)}

    def is_behind(self, ends: Positions) -> bool:
        """Was less read than there was then?"""
        return any(self.positions.get(name, 0) < length for name, length in ends.items())

    def _grown(self) -> list[BlobInfo]:
        """Blobs with bytes behind our position; what is gone from the listing is forgotten."""
        listed = list(self._store.listing(artifact_names.LEDGER_PREFIX))
        if self._is_first:
            self._skip_stale(listed, self._store.now())
        names = {blob.name for blob in listed}
        self.positions = {name: position for name, position in self.positions.items() if name in names}
        self._read_in = {name: number for name, number in self._read_in.items() if name in names}
        return [blob for blob in listed if blob.length > self.positions.get(blob.name, 0)]

    def _skip_stale(self, listed: list[BlobInfo], now: datetime) -> None:
        self._is_first = False
        self.positions |= {blob.name: blob.length for blob in listed if now - blob.modified > STALE}

    def _read(self, blob: BlobInfo) -> bytes:
        try:
            position = self.positions.get(blob.name, 0)
            return self._store.read_from(blob.name, position, max_bytes=READ_BYTES)
        except NotFound:
            return b""  # cleared away since the listing
