"""Whether what arrived is what was sent, by length and MD5."""

from __future__ import annotations

import hashlib
from pathlib import Path

from contract.blob_store import BlobInfo
from contract.errors import StorageUnavailable


def check_same(info: BlobInfo, length: int, md5: bytes | None, action: str) -> None:
    """StorageUnavailable that names the action, when the store's blob is not that; an MD5 of None says nothing."""
    if info.length != length:
        raise StorageUnavailable(f"{action}: {info.length} bytes arrived, {length} were expected; try again")
    if md5 is not None and info.md5 is not None and info.md5 != md5:
        raise StorageUnavailable(f"{action}: MD5 {info.md5.hex()}, {md5.hex()} was expected; try again")


def length_and_md5(path: Path) -> tuple[int, bytes]:
    """Of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
        return stream.tell(), digest.digest()
