"""What a storage queue accepts, checked before anything is sent: the same for every implementation."""

from __future__ import annotations

import re

from contract.tile_queue import MAX_BATCH

MAX_BODY_BYTES = 64 * 1024
MAX_LEASE_SECONDS = 7 * 24 * 3600
# What XML 1.0 cannot carry. The emulator takes such a body and then fails every receive that meets it.
_UNRETURNABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_body(body: str) -> None:
    """ValueError for a body that could not be stored, or not be returned."""
    if match := _UNRETURNABLE.search(body):
        raise ValueError(f"a message body cannot hold the character {match.group()!r}; escape it")
    if (size := len(body.encode())) > MAX_BODY_BYTES:
        raise ValueError(f"a message body may have {MAX_BODY_BYTES} bytes, this one has {size}")


def check_batch(count: int) -> None:
    """ValueError unless one receive may ask for so many."""
    if not 1 <= count <= MAX_BATCH:
        raise ValueError(f"one receive takes 1 to {MAX_BATCH} messages, not {count}")


def check_lease(seconds: int, *, minimum: int) -> None:
    """ValueError unless a message can be hidden so long."""
    if not minimum <= seconds <= MAX_LEASE_SECONDS:
        raise ValueError(f"a message can be hidden for {minimum} to {MAX_LEASE_SECONDS} s, not {seconds}")
