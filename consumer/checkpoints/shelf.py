"""Checkpoints in the container: listed, read, written and deleted, through files on the scratch disk."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.checkpoints.blocks import Block, Fingerprint
from consumer.checkpoints.find import Finder, Found
from consumer.checkpoints.part import (
    MOST_HEADER_BYTES,
    NotUsable,
    Part,
    read_blocks,
    read_header,
    write_part,
)
from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import NotFound, StorageError, StorageUnavailable
from contract.tile_message import TileMessage

MOST_REFUSALS = 3
"""Of deletions, before the storage is taken to be away: each further one would cost seconds."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Of one worker. StorageError when the storage does not answer."""

    store: BlobStore
    scratch_folder: Path

    def finder(self, message: TileMessage) -> Finder:
        """All checkpoints of the message's tile and generation: one listing."""
        prefix = _prefix(message)
        return Finder(prefix, self.store.names(prefix), self._header)

    def blocks_of(self, found: Found) -> list[Block]:
        """The blocks of a checkpoint and of those before it; NotUsable when one of them is not what it was."""
        return [block for name, part in found.parts for block in self._blocks(name, part)]

    def write(
        self,
        name: str,
        blocks: Sequence[Block],
        *,
        first: int,
        total: int,
        after: str,
        fingerprint: Fingerprint,
        inputs: Any,
    ) -> int:
        """Store a checkpoint; returns its bytes. OSError when the scratch disk does not take it."""
        with self._scratch_path() as path:
            with path.open("xb") as file:
                length = write_part(
                    file,
                    blocks,
                    first=first,
                    total=total,
                    after=after,
                    fingerprint=fingerprint,
                    inputs=inputs,
                )
            self.store.upload(name, path)
        return length

    def clear(self, message: TileMessage, attempt: str = "") -> None:
        """Delete those of the message's tile and generation, of all attempts or of one. A refusal of one of them
        is told after the others."""
        prefix = _prefix(message) + (f"{attempt}/" if attempt else "")
        refusals = []
        for name in list(self.store.names(prefix)):
            try:
                self.store.delete(name)
            except StorageError as error:
                refusals.append(error)
                if len(refusals) == MOST_REFUSALS:
                    break
        if refusals:
            raise refusals[0]

    def _header(self, name: str) -> Part:
        try:
            return read_header(self.store.read_from(name, 0, max_bytes=MOST_HEADER_BYTES))
        except NotFound as error:
            raise NotUsable("it was deleted meanwhile") from error

    def _blocks(self, name: str, part: Part) -> list[Block]:
        with self._scratch_path() as path:
            try:
                if (length := self.store.info(name).length) != part.length:
                    raise NotUsable(f"it has {length} bytes, its header says {part.length}")
                self.store.download(name, path)
            except NotFound as error:
                raise NotUsable("it was deleted meanwhile") from error
            except StorageUnavailable as error:
                self.store.info(name)  # a storage that is away says so again, and the tile comes back later
                raise NotUsable(f"it does not arrive as it was stored: {error}") from error
            return read_blocks(part, path.read_bytes())

    @contextmanager
    def _scratch_path(self) -> Iterator[Path]:
        """A new name in a folder that is made at need: an eviction wipes the scratch disk."""
        self.scratch_folder.mkdir(parents=True, exist_ok=True)
        path = self.scratch_folder / f"checkpoint-{uuid.uuid4().hex}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _prefix(message: TileMessage) -> str:
    return artifact_names.checkpoints_prefix(message.dataset, message.tile, message.generation)
