"""BlobStore in memory, under an injected clock: for tests and the simulated fleet, with the same promises."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import RLock

from contract.blob_limits import NO_BLOB, check_append, check_lease_length, checked_metadata
from contract.blob_store import SMALL_BLOB_BYTES, Blob, BlobInfo, BlobLease
from contract.errors import AlreadyExists, Changed, NotFound, StorageError
from contract.simulated_faults import Fault, effect, no_fault

Clock = Callable[[], float]
"""Epoch seconds."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A lease as the service knows it."""

    number: int
    seconds: int
    until: float


@dataclass(slots=True)
class _Stored:
    data: bytes | bytearray
    """A bytearray is an append blob."""
    info: BlobInfo
    lease: _Held | None = None


class SimulatedContainer:
    """The blobs of one simulated container; several stores (clients) may share it."""

    def __init__(self, clock: Clock = time.time) -> None:
        self.clock = clock
        self.lock = RLock()
        self._blobs: dict[str, _Stored] = {}
        self._names: list[str] = []
        self._numbers = count(1)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def existing(self, name: str) -> _Stored:
        if name not in self._blobs:
            raise NotFound(f"{name}: 404 BlobNotFound")
        return self._blobs[name]

    def find(self, name: str) -> _Stored | None:
        return self._blobs.get(name)

    def next_number(self) -> int:
        return next(self._numbers)

    def write(self, name: str, data: bytes | bytearray, metadata: Mapping[str, str]) -> BlobInfo:
        """Set a blob's bytes and metadata under a new ETag; its lease stays."""
        md5 = None if isinstance(data, bytearray) else hashlib.md5(data, usedforsecurity=False).digest()
        etag = f'"0x{self.next_number():016X}"'
        # Whole seconds, as the service's Last-Modified has them.
        modified = self.now().replace(microsecond=0)
        info = BlobInfo(name, len(data), etag, modified, md5, dict(metadata))
        old = self._blobs.get(name)
        if old is None:
            insort(self._names, name)
        self._blobs[name] = _Stored(data, info, old.lease if old else None)
        return info

    def remove(self, name: str) -> None:
        del self._blobs[name]
        del self._names[bisect_left(self._names, name)]

    def names_under(self, prefix: str) -> list[str]:
        with self.lock:
            start = bisect_left(self._names, prefix)
            # No name of ours has a character beyond ASCII, so this is the first one after the prefix.
            end = bisect_left(self._names, prefix + "\uffff")
            return self._names[start:end]


class SimulatedBlobStore:
    """One client of a container. What it writes to a blob carries the lease that it took on that blob."""

    def __init__(self, container: SimulatedContainer | None = None, fault: Fault = no_fault) -> None:
        self._container = container or SimulatedContainer()
        self._fault = fault
        self._leases: dict[str, int] = {}

    def ensure(self) -> None:
        """The container is always there."""

    def create(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        checked = checked_metadata(metadata)
        with effect(self._fault, "create", name), self._container.lock:
            if self._container.find(name) is not None:
                raise AlreadyExists(f"creating {name}: 409 BlobAlreadyExists")
            return self._container.write(name, bytes(data), checked)

    def put(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        checked = checked_metadata(metadata)
        with effect(self._fault, "put", name), self._container.lock:
            self._check_lease(name)
            return self._container.write(name, bytes(data), checked)

    def replace(
        self, name: str, data: bytes, *, if_etag: str, metadata: Mapping[str, str] | None = None
    ) -> BlobInfo:
        checked = checked_metadata(metadata)
        with effect(self._fault, "replace", name), self._container.lock:
            there = self._container.existing(name)
            if there.info.etag != if_etag and (bytes(there.data), there.info.metadata) == (data, checked):
                return there.info
            self._check_etag(name, if_etag)
            self._check_lease(name)
            return self._container.write(name, bytes(data), checked)

    def upload(self, name: str, path: Path, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        data, checked = path.read_bytes(), checked_metadata(metadata)
        with effect(self._fault, "upload", name), self._container.lock:
            self._check_lease(name)
            return self._container.write(name, data, checked)

    def read(self, name: str, *, max_bytes: int = SMALL_BLOB_BYTES) -> Blob:
        with effect(self._fault, "read", name), self._container.lock:
            stored = self._container.existing(name)
            if stored.info.length > max_bytes:
                raise ValueError(f"{name} has {stored.info.length} bytes, at most {max_bytes} were expected")
            return Blob(bytes(stored.data), stored.info)

    def read_from(self, name: str, offset: int, *, max_bytes: int = SMALL_BLOB_BYTES) -> bytes:
        with effect(self._fault, "read_from", name), self._container.lock:
            return bytes(self._container.existing(name).data[offset : offset + max_bytes])

    def download(self, name: str, path: Path) -> BlobInfo:
        with effect(self._fault, "download", name), self._container.lock:
            stored = self._container.existing(name)
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(stored.data)
            part.replace(path)
            return stored.info

    def info(self, name: str) -> BlobInfo:
        with effect(self._fault, "info", name), self._container.lock:
            return self._container.existing(name).info

    def set_metadata(self, name: str, metadata: Mapping[str, str], *, if_etag: str) -> BlobInfo:
        checked = checked_metadata(metadata)
        with effect(self._fault, "set_metadata", name), self._container.lock:
            stored = self._check_etag(name, if_etag)
            self._check_lease(name)
            return self._container.write(name, stored.data, checked)

    def copy(self, source: str, target: str, *, if_target_etag: str | None = None) -> BlobInfo:
        with effect(self._fault, "copy", target), self._container.lock:
            original = self._container.existing(source)
            there = self._container.find(target)
            if if_target_etag is not None and if_target_etag != (there.info.etag if there else NO_BLOB):
                raise Changed(f"copying {source} to {target}: 412 ConditionNotMet; read it again")
            self._check_lease(target)
            return self._container.write(target, bytes(original.data), original.info.metadata)

    def delete(self, name: str) -> bool:
        with effect(self._fault, "delete", name), self._container.lock:
            if self._container.find(name) is None:
                return False
            self._check_lease(name)
            self._container.remove(name)
            return True

    def listing(self, prefix: str, *, with_metadata: bool = False) -> Iterator[BlobInfo]:
        with effect(self._fault, "listing", prefix):
            for name in self._container.names_under(prefix):
                if (stored := self._container.find(name)) is not None:
                    yield stored.info if with_metadata else replace(stored.info, metadata={})

    def names(self, prefix: str) -> Iterator[str]:
        with effect(self._fault, "names", prefix):
            yield from self._container.names_under(prefix)

    def append(self, name: str, data: bytes, *, at: int) -> int:
        check_append(data)
        with effect(self._fault, "append", name), self._container.lock:
            if at == 0 and self._container.find(name) is None:
                self._container.write(name, bytearray(), {})
            stored = self._container.existing(name)
            if not isinstance(stored.data, bytearray):
                raise StorageError(f"appending to {name}: 409 InvalidBlobType")
            self._check_lease(name)
            if len(stored.data) != at:
                raise Changed(f"appending to {name}: it has {len(stored.data)} bytes, not {at}")
            stored.data += data
            return self._container.write(name, stored.data, stored.info.metadata).length

    def lease(self, name: str, seconds: int) -> BlobLease:
        check_lease_length(seconds)
        with effect(self._fault, "lease", name), self._container.lock:
            stored = self._container.existing(name)
            now = self._container.clock()
            if stored.lease is not None and stored.lease.until > now:
                raise AlreadyExists(f"leasing {name}: 409 LeaseAlreadyPresent")
            stored.lease = _Held(self._container.next_number(), seconds, now + seconds)
            self._leases[name] = stored.lease.number
            return _SimulatedLease(self, name, stored.lease.number)

    def now(self) -> datetime:
        return self._container.now()

    def renew_lease(self, name: str, number: int) -> None:
        """For the lease itself: hold it for its length from now."""
        with effect(self._fault, "renew_lease", name), self._container.lock:
            stored = self._container.existing(name)
            if stored.lease is None or stored.lease.number != number:
                raise Changed(f"renewing the lease on {name}: somebody else has it")
            stored.lease = replace(stored.lease, until=self._container.clock() + stored.lease.seconds)

    def release_lease(self, name: str, number: int) -> None:
        """For the lease itself: give it back if it is still ours."""
        with effect(self._fault, "release_lease", name), self._container.lock:
            if self._leases.get(name) == number:
                del self._leases[name]
            stored = self._container.find(name)
            if stored is not None and stored.lease is not None and stored.lease.number == number:
                stored.lease = None

    def _check_etag(self, name: str, etag: str) -> _Stored:
        stored = self._container.existing(name)
        if stored.info.etag != etag:
            raise Changed(f"{name}: 412 ConditionNotMet; read it again")
        return stored

    def _check_lease(self, name: str) -> None:
        """Changed unless a write may happen: nobody holds the blob and we do not claim to, or it is us."""
        stored = self._container.find(name)
        ours = self._leases.get(name)
        if stored is None:
            return
        lease = stored.lease
        if lease is not None and lease.until <= self._container.clock():
            lease = None
        if ours != (lease.number if lease else None):
            raise Changed(f"writing {name}: 412, its lease is not ours")
        stored.lease = lease


class _SimulatedLease:
    """A lease on a blob, known to the store that took it."""

    def __init__(self, store: SimulatedBlobStore, name: str, number: int) -> None:
        self._store = store
        self._name = name
        self._number = number

    def renew(self) -> None:
        self._store.renew_lease(self._name, self._number)

    def release(self) -> None:
        self._store.release_lease(self._name, self._number)
