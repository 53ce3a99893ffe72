"""Prepared tiles in the container: made by one attempt, read by later ones and by other models.

A kept cube is two blobs: its bytes, named by their SHA-256, and then a record, created once, that says how
long they are and until when they count. Without a record there is no cube, so that a torn upload is never
met. Nothing here fails a tile: what is missing, expired, damaged or not for us is logged and left alone,
and the imagery is read as if there were no cube.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import psutil
import structlog

from contract import artifact_names, log_lines
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists, BadInput, Changed, NotFound, StorageError
from contract.json_text import parse_object, to_bytes
from contract.tile_id import TileId

log = structlog.get_logger()

VERSION = 1
SHELF_DAYS = (2, 7, 30)
"""For each of them infra/storage/lifecycle.json has a rule, which deletes about a day after. None lasts longer."""
_OWNER = re.compile(r"cube-(\d+)-")
MOST_CUBE_BYTES = 16 * 2**30
"""The largest tile at 10 m, seen on every day of the year by both satellites, has 13 GB."""
MOST_RECORD_BYTES = 8 * 2**20
"""1,500 scenes with their addresses come to half a megabyte."""


@dataclass(frozen=True, slots=True)
class CubeKey:
    """Which cube: two with the same key have the same bytes, as far as their sources stay as they are."""

    period: str
    settings: str
    """Digest of everything that its bytes follow from, but for period and tile."""
    tile: TileId


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Taken:
    """A kept cube, whole and checked, in a file without a name: it is gone once nobody holds it."""

    name: str
    """Of its record."""
    etag: str
    """Of the record as it was read."""
    file: BinaryIO
    length: int
    facts: Mapping[str, Any]
    """What its keeper wrote beside it."""


class CubeStore:
    """Keeps and takes cubes; safe to share between threads."""

    def __init__(self, store: BlobStore, scratch_folder: Path) -> None:
        self._store = store
        self._scratch = scratch_folder
        self._useless: set[str] = set()
        """ETags of records that were refused: a cube that is kept may take their place."""
        _clear_after_the_dead(scratch_folder)

    def take(self, key: CubeKey) -> Taken | None:
        """The cube, if there is one that holds what its record promises."""
        for days in SHELF_DAYS:
            prefix = artifact_names.cube_prefix(days, key.period, key.settings, key.tile)
            try:
                taken = self._take(prefix, key)
            except (StorageError, OSError, ValueError) as error:
                log.warning(log_lines.CUBE_IGNORED, cube=prefix, reason=str(error))
                continue
            if taken is not None:
                return taken
        return None

    def refuse(self, taken: Taken, reason: str) -> None:
        """The caller cannot use it: the next cube that is kept replaces it."""
        log.warning(log_lines.CUBE_IGNORED, cube=taken.name, reason=reason)
        self._useless.add(taken.etag)
        taken.file.close()

    def discard(self, taken: Taken, reason: str) -> None:
        """Nobody can use it: without its record it is no cube any more."""
        self.refuse(taken, reason)
        try:
            self._store.delete(taken.name)
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))

    def keep(
        self,
        key: CubeKey,
        write: Callable[[BinaryIO], None],
        facts: Mapping[str, Any],
        *,
        days: int,
        size: int,
    ) -> None:
        """Store what `write` writes, some `size` bytes, for so many days."""
        shelf = next(shelf for shelf in SHELF_DAYS if days <= shelf)
        prefix = artifact_names.cube_prefix(shelf, key.period, key.settings, key.tile)
        try:
            self._keep(prefix, key, write, facts, days=days, size=size)
        except (StorageError, OSError, ValueError) as error:
            log.warning(log_lines.CUBE_NOT_KEPT, cube=prefix, reason=str(error))

    def _take(self, prefix: str, key: CubeKey) -> Taken | None:
        name = f"{prefix}record.json"
        try:
            blob = self._store.read(name, max_bytes=MOST_RECORD_BYTES)
        except NotFound:
            return None
        try:
            record = _decode(blob.data, key, now=self._store.now())
            file = self._fetch(f"{prefix}{record.sha256}.npz", record)
        except (_Useless, BadInput, NotFound) as error:
            log.warning(log_lines.CUBE_IGNORED, cube=name, reason=str(error))
            self._useless.add(blob.info.etag)
            return None
        taken = Taken(name, blob.info.etag, file, record.length, record.facts)
        weakref.finalize(taken, file.close)  # an attempt may end before it reads what it took
        return taken

    def _fetch(self, name: str, record: _Record) -> BinaryIO:
        """The bytes in an open file whose name is gone already."""
        found = self._store.info(name).length
        if found != record.length:
            raise _Useless(f"it has {found} bytes, its record says {record.length}")
        path = self._scratch_path(record.length)
        try:
            self._store.download(name, path)
            file = path.open("rb")
        finally:
            path.unlink(missing_ok=True)
        if hashlib.file_digest(file, "sha256").hexdigest() != record.sha256:
            file.close()
            raise _Useless("its bytes are not those of its record")
        file.seek(0)
        return file

    def _keep(
        self,
        prefix: str,
        key: CubeKey,
        write: Callable[[BinaryIO], None],
        facts: Mapping[str, Any],
        *,
        days: int,
        size: int,
    ) -> None:
        path = self._scratch_path(size)
        try:
            with path.open("x+b") as file:
                write(file)
                length = file.seek(0, os.SEEK_END)
                file.seek(0)
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            data = f"{prefix}{sha256}.npz"
            if self._store.upload(data, path).length != length:
                raise StorageError(f"{data} did not arrive whole")
        finally:
            path.unlink(missing_ok=True)
        expires = self._store.now() + timedelta(days=days)
        record = _Record(length, sha256, expires, facts).encode(key)
        standing = self._create_record(f"{prefix}record.json", record)
        if standing == record:
            log.info(log_lines.CUBE_KEPT, cube=prefix, bytes=length, days=days)
        elif sha256.encode() not in standing:  # the same cube has the same bytes, and so the same name
            self._store.delete(data)

    def _create_record(self, name: str, data: bytes) -> bytes:
        """The record that stands there now: ours, or that of another attempt, which is as good."""
        try:
            self._store.create(name, data)
        except AlreadyExists:
            found = self._store.read(name, max_bytes=MOST_RECORD_BYTES)
            if found.info.etag not in self._useless:
                return found.data
            with suppress(Changed):
                self._store.replace(name, data, if_etag=found.info.etag)
            self._useless.discard(found.info.etag)
            return self._store.read(name, max_bytes=MOST_RECORD_BYTES).data
        return data

    def _scratch_path(self, size: int) -> Path:
        """A new name on a disk with room for twice as much: results must never find it full."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._scratch).free
        if free < 2 * size:
            raise OSError(f"{self._scratch} has {free} bytes left, a cube of {size} needs twice as many")
        return self._scratch / f"cube-{os.getpid()}-{uuid.uuid4().hex}.npz"


def _clear_after_the_dead(scratch_folder: Path) -> None:
    """A process that is killed leaves the file that it was at, and a slot that dies often would fill the disk."""
    for path in scratch_folder.glob("*cube-*.npz*"):
        owner = _OWNER.search(path.name)
        if owner and not psutil.pid_exists(int(owner.group(1))):
            with suppress(OSError):  # a disk that takes no change is found by the look at the machine
                path.unlink()


class _Useless(Exception):
    """There is a cube, and it is not to be used."""


@dataclass(frozen=True, slots=True)
class _Record:
    length: int
    sha256: str
    expires: datetime
    facts: Mapping[str, Any]

    def encode(self, key: CubeKey) -> bytes:
        return to_bytes(
            {
                "v": VERSION,
                "period": key.period,
                "settings": key.settings,
                "tile": key.tile.name,
                "length": self.length,
                "sha256": self.sha256,
                "expires": self.expires.isoformat(timespec="seconds"),
                "facts": dict(self.facts),
            }
        )


def _decode(data: bytes, key: CubeKey, *, now: datetime) -> _Record:
    """The record; BadInput or _Useless says why it is none for us."""
    found = parse_object(data, "the record of a kept cube")
    if found.get("v") != VERSION:
        raise _Useless(f"its record has version {found.get('v')!r}, this program knows {VERSION}")
    if (found.get("period"), found.get("settings"), found.get("tile")) != (
        key.period,
        key.settings,
        key.tile.name,
    ):
        raise _Useless("its record is that of another cube")
    try:
        record = _Record(
            int(found["length"]),
            str(found["sha256"]),
            datetime.fromisoformat(found["expires"]),
            dict(found["facts"]),
        )
        is_expired = record.expires <= now
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _Useless(f"its record lacks or misstates {error}") from error
    if is_expired:
        raise _Useless(f"it expired at {found['expires']}")
    if not 0 < record.length <= MOST_CUBE_BYTES:
        raise _Useless(f"{record.length} bytes are no size of a cube")
    if len(record.sha256) != 64 or not set(record.sha256) <= set("0123456789abcdef"):
        raise _Useless("its record states no SHA-256")
    return record
