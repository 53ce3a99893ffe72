"""A file whose appearance counts as an eviction notice: for tests, for people, for clouds that we do not know.

Its content may say more (consumer/departure.py): `{"drain": true}` asks to finish and leave, and a supervisor
tells its slots the cloud's reason and deadline in it.
"""

from __future__ import annotations

import time
from pathlib import Path

from consumer.departure import Departure, decode_departure, encode_departure

MAX_BYTES = 4096
WRITTEN_WITHIN_SECONDS = 0.2
"""A shell makes the file first and writes to it then: `echo '{"drain": true}' > halt.txt` is no eviction."""


class HaltFile:
    """`touch halt.txt`, and the worker leaves as if the cloud had said so."""

    def __init__(self, path: Path | None, grace_seconds: float) -> None:
        self._path = path
        self._grace_seconds = grace_seconds
        self._first_seen: float | None = None

    def look(self) -> Departure | None:
        """What the file asks for now; None while there is none. Without a deadline of its own the grace counts
        from when it was first seen."""
        data = self._read()
        if data is None:
            self._first_seen = None
            return None
        now = time.monotonic()
        first_seen = now if self._first_seen is None else self._first_seen
        self._first_seen = first_seen  # several threads look
        if not data and now - first_seen < WRITTEN_WITHIN_SECONDS:
            return None
        return decode_departure(data, first_seen + self._grace_seconds)

    def _read(self) -> bytes | None:
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                return file.read(MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError:
            return b""  # it is there, whatever it says


def write_halt_file(path: Path, departure: Departure) -> None:
    """Pass a departure on, atomically. OSError when not even an empty file could be made there: on a full disk
    the empty one still says that this is an eviction."""
    new = path.with_suffix(".new")
    try:
        new.write_bytes(encode_departure(departure))
        new.replace(path)
    except OSError:
        if departure.deadline is None:
            raise  # an empty file would turn a drain into an eviction
        path.touch()
