"""An operator's wish that a machine's workers finish what they infer and leave: a blob named by the machine.

It stands until it is withdrawn, also over a restart of the machine, which would otherwise take tiles again.
Whoever starts a drained machine for more work withdraws it first.
"""

from __future__ import annotations

import re
from datetime import UTC

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput, NotFound
from contract.json_text import to_bytes

VERSION = 1
VM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def request_drain(store: BlobStore, vm: str, *, reason: str) -> None:
    """Ask; a second call replaces the reason. BadInput for what names no machine."""
    asked = store.now().astimezone(UTC).isoformat(timespec="seconds")
    store.put(_name(vm), to_bytes({"v": VERSION, "reason": reason[:300], "asked": asked}))


def withdraw_drain(store: BlobStore, vm: str) -> bool:
    """Let the machine work again once it is started; False when nobody had asked."""
    return store.delete(_name(vm))


def is_drain_requested(store: BlobStore, vm: str) -> bool:
    """Whether to leave; one request without a body."""
    try:
        store.info(_name(vm))
    except NotFound:
        return False
    return True


def _name(vm: str) -> str:
    if not VM_NAME.fullmatch(vm):
        raise BadInput(f"{vm[:60]!r} cannot name a machine: up to 100 letters, digits, dots and dashes")
    return artifact_names.drain(vm)
