"""What explains a worker's silence: that the cloud took its machine. Written once per boot, by whoever sees it first.

The supervisor writes it when a notice arrives, the controller when it finds the machine deallocated without its
own doing. Whoever meets a tile whose last attempt never ended asks here before anybody is charged for it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists, BadInput, NotFound
from contract.json_text import parse_object, to_bytes

VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Eviction:
    """One machine taken away."""

    vm: str
    boot_id: str
    seen_by: str
    """`supervisor`, `controller`, or who else noticed."""
    reason: str
    seen: str
    """UTC, ISO 8601, by the store's clock."""


def record_eviction(store: BlobStore, vm: str, boot_id: str, *, seen_by: str, reason: str) -> None:
    """Say that this boot of this machine was evicted. A second call keeps the first account."""
    record = {
        "v": VERSION,
        "seen_by": seen_by,
        "reason": reason[:300],
        "seen": store.now().astimezone(UTC).isoformat(timespec="seconds"),
    }
    with suppress(AlreadyExists):
        store.create(_name(vm, boot_id), to_bytes(record))


def read_eviction(store: BlobStore, vm: str, boot_id: str) -> Eviction | None:
    """The account of it; None when nobody saw one. BadInput for names that are none, and for what is no account."""
    try:
        record = parse_object(store.read(_name(vm, boot_id)).data, "the eviction record")
    except NotFound:
        return None
    text = {field: str(record.get(field, "")) for field in ("seen_by", "reason", "seen")}
    return Eviction(vm, boot_id, **text)


def _name(vm: str, boot_id: str) -> str:
    for word in (vm, boot_id):
        if not _NAME.fullmatch(word):
            raise BadInput(f"{word[:60]!r} can name neither a machine nor a boot")
    return artifact_names.eviction(vm, boot_id)
