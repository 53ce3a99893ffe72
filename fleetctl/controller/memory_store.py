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

    def save(self, memory: Memory, *, stop_after: float | None = None) -> None:
        """Write it, with the moment from which on the fleet's machines are to end even without a controller.
        Changed when another controller wrote since our load: then we do not lead."""
        data = encode_memory(memory)
        marks = {} if stop_after is None else {artifact_names.STOP_AFTER: f"{stop_after:.0f}"}
        if self._etag is None:
            try:
                created = self._store.create(artifact_names.CONTROLLER_MEMORY, data, metadata=marks)
            except AlreadyExists as error:
                raise Changed("another controller wrote its record meanwhile") from error
            self._etag = created.etag
        else:
            name = artifact_names.CONTROLLER_MEMORY
            self._etag = self._store.replace(name, data, if_etag=self._etag, metadata=marks).etag
