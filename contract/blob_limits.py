"""What a blob store accepts, checked before anything is sent: the same for every implementation."""

from __future__ import annotations

import re
from collections.abc import Mapping

MAX_APPEND_BYTES = 4 * 1024 * 1024
MAX_METADATA_BYTES = 8 * 1024
NO_BLOB = ""
"""In the place of a copy target's ETag: there must be no blob."""
LEASE_SECONDS = range(15, 61)

# Metadata travels as HTTP headers and comes back as XML: names fold case, values lose outer blanks, empty
# ones turn into nothing, and only ASCII is safe.
_METADATA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_METADATA_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """A copy of the metadata; ValueError for what would not come back as it went."""
    checked = dict(metadata or {})
    for name, value in checked.items():
        if not _METADATA_NAME.fullmatch(name) or not _METADATA_VALUE.fullmatch(value):
            raise ValueError(f"metadata {name[:64]!r}={value[:60]!r} is not plain ASCII of a lower-case name")
    if (size := sum(len(name) + len(value) for name, value in checked.items())) > MAX_METADATA_BYTES:
        raise ValueError(f"metadata may have {MAX_METADATA_BYTES} bytes, this has {size}")
    return checked


def check_append(data: bytes) -> None:
    """ValueError unless one append can carry it."""
    if not 0 < len(data) <= MAX_APPEND_BYTES:
        raise ValueError(f"one append takes 1 to {MAX_APPEND_BYTES} bytes, not {len(data)}")


def check_lease_length(seconds: int) -> None:
    """ValueError unless a blob can be leased so long."""
    if seconds not in LEASE_SECONDS:
        raise ValueError(f"a blob is leased for 15 to 60 s, not {seconds}")
