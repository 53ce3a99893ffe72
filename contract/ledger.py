"""The ledger: what happened, appended line by line, one stream per worker and boot, read by offset.

A stream is a row of append blobs. The writer's lines land exactly once: it appends at a known position,
and when an answer was lost it looks whether its bytes are there. Readers may still meet a line twice
(after a restart of their own), so every line has an id.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from contract import artifact_names
from contract.blob_limits import MAX_APPEND_BYTES
from contract.blob_store import BlobStore
from contract.errors import Changed, NotFound
from contract.json_text import to_bytes
from contract.ledger_events import LINE_CUT, LINES_LOST, Event

MAX_BLOCKS = 40_000  # of 50,000 that the service allows
MAX_BUFFER_BYTES = 16 * 1024 * 1024
MAX_LINE_BYTES = 256 * 1024
READ_BYTES = 4 * 1024 * 1024
MAX_READ_BYTES = 64 * 1024 * 1024

Positions = dict[str, int]
"""How many bytes of each ledger blob were read."""


class LedgerWriter:
    """One stream. `write` only notes a line, `flush` sends what was noted; both may be called from any thread.

    While the storage is away the newest MAX_BUFFER_BYTES of lines wait; how many were dropped is written too.
    """

    def __init__(
        self,
        store: BlobStore,
        stream: str,
        *,
        clock: Callable[[], float] = time.time,
        bound: Mapping[str, Any] | None = None,
        max_blocks: int = MAX_BLOCKS,
        max_buffer_bytes: int = MAX_BUFFER_BYTES,
    ) -> None:
        """`bound` goes with every line; `clock` gives epoch seconds."""
        self._store = store
        self._stream = stream
        self._clock = clock
        self._bound = dict(bound or {})
        self._max_blocks = max_blocks
        self._max_buffer_bytes = max_buffer_bytes
        self._run = uuid.uuid4().hex[:12]
        self._noted = 0
        self._lost = 0
        self._lines: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._lines_lock = Lock()
        self._blob_number = 0
        self._blocks = 0
        self._position = 0
        self._in_doubt = b""
        """A block that was sent, and may or may not have landed at the position."""
        self._flush_lock = Lock()

    def write(self, name: str, **facts: Any) -> None:
        """Note one event for the next flush."""
        with self._lines_lock:
            self._note(name, facts)

    def flush(self) -> None:
        """Send all lines noted so far. On StorageUnavailable they wait for the next flush."""
        with self._flush_lock:
            while block := self._next_block():
                self._append(block)

    def _note(self, name: str, facts: Mapping[str, Any]) -> None:
        self._noted += 1
        head = {"id": f"{self._run}-{self._noted}", "time": _utc(self._clock()), "name": name}
        line = to_bytes({**self._bound, **facts, **head}) + b"\n"
        if len(line) > MAX_LINE_BYTES:
            line = to_bytes({**self._bound, **head, "name": LINE_CUT, "was": name}) + b"\n"
        self._lines.append(line)
        self._buffered_bytes += len(line)
        while self._buffered_bytes > self._max_buffer_bytes:
            self._buffered_bytes -= len(self._lines.popleft())
            self._lost += 1

    def _next_block(self) -> bytes:
        """The block in doubt, else as many whole lines as one append takes."""
        if self._in_doubt:
            return self._in_doubt
        with self._lines_lock:
            if self._lost:
                lost, self._lost = self._lost, 0
                self._note(LINES_LOST, {"count": lost})
            taken, size = [], 0
            while self._lines and size + len(self._lines[0]) <= MAX_APPEND_BYTES:
                taken.append(self._lines.popleft())
                size += len(taken[-1])
            self._buffered_bytes -= size
            return b"".join(taken)

    def _append(self, block: bytes) -> None:
        if self._in_doubt and self._has_landed(block):
            self._accept(block)
            return
        self._in_doubt = block
        try:
            self._store.append(self._blob_name, block, at=self._position)
        except (Changed, NotFound) as error:
            self._resolve(block, error)
        else:
            self._accept(block)

    def _resolve(self, block: bytes, error: Exception) -> None:
        """The blob is not as long as we thought: our block landed after all, or somebody else is at it."""
        if self._has_landed(block):
            self._accept(block)
        elif isinstance(error, NotFound) and self._position == 0:
            raise error  # not the blob is missing but the container
        else:
            self._start_blob()  # an earlier run of this stream wrote it, or it was deleted

    def _has_landed(self, block: bytes) -> bool:
        """Whether the bytes at our position are ours; ids make every block unlike any other."""
        try:
            return self._store.read_from(self._blob_name, self._position, max_bytes=len(block)) == block
        except NotFound:
            return False

    def _accept(self, block: bytes) -> None:
        self._in_doubt = b""
        self._position += len(block)
        self._blocks += 1
        if self._blocks >= self._max_blocks:
            self._start_blob()

    def _start_blob(self) -> None:
        self._blob_number += 1
        self._position = self._blocks = 0

    @property
    def _blob_name(self) -> str:
        return artifact_names.ledger_stream(self._stream, self._blob_number)


class LedgerReader:
    """Follows all streams of a container."""

    def __init__(self, store: BlobStore, *, max_bytes: int = MAX_READ_BYTES) -> None:
        """`max_bytes` (at least READ_BYTES) bounds what one `read_new` brings, whatever has piled up."""
        self._store = store
        self._max_bytes = max(max_bytes, READ_BYTES)
        self.malformed_lines = 0
        """Lines so far that were no event; they are skipped."""

    def read_new(self, positions: Mapping[str, int]) -> tuple[list[Event], Positions]:
        """The events behind `positions` ({}: from the beginning), and the positions behind those.

        A last line without its end is left for the next time. When nothing new is returned, nothing is left
        to read; otherwise there may be more than `max_bytes` allowed.
        """
        events: list[Event] = []
        reached = dict(positions)
        left = self._max_bytes
        for blob in self._store.listing(artifact_names.LEDGER_PREFIX):
            offset = reached.get(blob.name, 0)
            while left > 0 and offset < blob.length:
                data = self._store.read_from(blob.name, offset, max_bytes=min(READ_BYTES, left))
                found, length, malformed = whole_events(data)
                if not length:
                    break
                events += found
                self.malformed_lines += malformed
                offset += length
                left -= length
                reached[blob.name] = offset
        return events, reached


def whole_events(data: bytes) -> tuple[list[Event], int, int]:
    """What was read from a ledger blob, as events: those of its whole lines, the bytes that these lines take, and
    how many of them were no event. A last line without its end is left for the next time."""
    whole = _whole_lines(data)
    events = [_event(line) for line in whole.splitlines()]
    good = [event for event in events if event is not None]
    return good, len(whole), len(events) - len(good)


def without_repeats(events: Iterable[Event], seen: set[str]) -> Iterator[Event]:
    """The events whose id is not in `seen`, which then has them."""
    for event in events:
        if event["id"] not in seen:
            seen.add(event["id"])
            yield event


def _whole_lines(data: bytes) -> bytes:
    """Up to the last line's end; all of it when it is longer than any line of ours could be."""
    end = data.rfind(b"\n") + 1
    return data[:end] if end or len(data) < READ_BYTES else data


def _event(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    return event if all(isinstance(event.get(key), str) for key in ("id", "time", "name")) else None


def _utc(epoch_seconds: float) -> str:
    return (
        datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
