"""Keeps the controller's record in one blob, under its ETag: two controllers cannot both go on from it."""

from __future__ import annotations

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists, Changed, NotFound
from fleetctl.controller.memory import Memory
from fleetctl.controller.memory_codec import MAX_MEMORY_BYTES, decode_memory, encode_memory


class MemoryStore:
    """One reader and writer at a time: who leads."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._etag: str | None = None

    def load(self) -> Memory:
        """The newest record; an empty one where no controller ever ran."""
        try:
            blob = self._store.read(artifact_names.CONTROLLER_MEMORY, max_bytes=MAX_MEMORY_BYTES)
        except NotFound:
            self._etag = None
            return Memory()
        self._etag = blob.info.etag
        return decode_memory(blob.data)

    def save(self, memory: Memory) -> None:
        """Write it. Changed when another controller wrote since our load: then we do not lead."""
        data = encode_memory(memory)
        if self._etag is None:
            try:
                self._etag = self._store.create(artifact_names.CONTROLLER_MEMORY, data).etag
            except AlreadyExists as error:
                raise Changed("another controller wrote its record meanwhile") from error
        else:
            self._etag = self._replace(data, self._etag)

    def _replace(self, data: bytes, if_etag: str) -> str:
        """A write whose answer was lost is repeated by the adapter and then meets itself: ours, if it says the same."""
        try:
            return self._store.replace(artifact_names.CONTROLLER_MEMORY, data, if_etag=if_etag).etag
        except Changed:
            blob = self._store.read(artifact_names.CONTROLLER_MEMORY, max_bytes=MAX_MEMORY_BYTES)
            if blob.data != data:
                raise
            return blob.info.etag
