"""The promises of blob storage that the programs rely on; one container, names with `/`.

Every method may raise StorageUnavailable (after the adapter's own short retries) and NotAllowed.
Implementations: `blob_stores/azure.py` and, for tests and the simulated fleet, `blob_stores/simulated.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

SMALL_BLOB_BYTES = 64 * 1024 * 1024
"""`read` refuses more: records, lists and ledgers are small, artifacts go through files."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What a listing tells of one blob."""

    name: str
    length: int
    """Bytes."""
    etag: str
    """Opaque, quotes included."""
    modified: datetime
    """By the store's clock, UTC."""
    md5: bytes | None = None
    """16 bytes as stored; None where the writer gave none."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Empty when the listing did not ask for it."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A small blob and what it was when it was read."""

    data: bytes
    info: BlobInfo


class BlobLease(Protocol):
    """A lease on a blob: one holder at a time, until it is released or not renewed."""

    def renew(self) -> None:
        """Hold it for its full length from now. Changed when somebody else has it."""
        ...

    def release(self) -> None:
        """Give it back. A second call, or one after loss, does nothing."""
        ...


class BlobStore(Protocol):
    """One container of blobs."""

    def create(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        """Write once. AlreadyExists when there is one, also when an unanswered first try of ours made it:
        who must know reads the blob and looks for its own id."""
        ...

    def put(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        """Write, whatever was there."""
        ...

    def replace(
        self, name: str, data: bytes, *, if_etag: str, metadata: Mapping[str, str] | None = None
    ) -> BlobInfo:
        """Write if the blob is still the one of that ETag, else Changed (NotFound when it is gone). A blob that
        says exactly this by now is as good as written: an unanswered first try of ours may have done it."""
        ...

    def upload(self, name: str, path: Path, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        """Write a file's bytes, whatever was there, and store their MD5."""
        ...

    def read(self, name: str, *, max_bytes: int = SMALL_BLOB_BYTES) -> Blob:
        """The whole blob. NotFound; ValueError when it is longer than `max_bytes`."""
        ...

    def read_from(self, name: str, offset: int, *, max_bytes: int = SMALL_BLOB_BYTES) -> bytes:
        """At most `max_bytes` from `offset`; empty at the end. NotFound."""
        ...

    def download(self, name: str, path: Path) -> BlobInfo:
        """Into a file, atomically: the file appears only when it is whole. NotFound."""
        ...

    def info(self, name: str) -> BlobInfo:
        """Metadata included. NotFound."""
        ...

    def set_metadata(self, name: str, metadata: Mapping[str, str], *, if_etag: str) -> BlobInfo:
        """Replace all metadata if the blob is still the one of that ETag, else Changed; NotFound when gone."""
        ...

    def copy(self, source: str, target: str, *, if_target_etag: str | None = None) -> BlobInfo:
        """Server-side copy, waited for; length, MD5 and metadata are the source's. NotFound.
        Over whatever was there, or only over the blob of that ETag (`NO_BLOB`: only where there is none),
        else Changed."""
        ...

    def delete(self, name: str) -> bool:
        """False when there was none."""
        ...

    def listing(self, prefix: str, *, with_metadata: bool = False) -> Iterator[BlobInfo]:
        """In lexical order, page by page, in constant memory."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """As `listing`, names only: a quarter of the answer to read."""
        ...

    def append(self, name: str, data: bytes, *, at: int) -> int:
        """Append to an append blob whose length is `at` (0 creates it) and return the new length.
        Changed when its length is another: a repeated append that landed says so too."""
        ...

    def lease(self, name: str, seconds: int) -> BlobLease:
        """Lease an existing blob for 15..60 s. AlreadyExists when somebody else holds it; NotFound."""
        ...

    def now(self) -> datetime:
        """The store's clock, UTC, from its latest answer (asks when there was none)."""
        ...
