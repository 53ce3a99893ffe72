"""How many workers a dataset may make unfit before its tiles are the suspects: counted by all workers together.

A worker cannot tell a bad dataset from a bad GPU: on both, every tile fails at once. The storage can: whoever
would fall creates one of two blobs, once. Nobody else falls over that dataset for an hour.
"""

from __future__ import annotations

from datetime import UTC

from consumer.outcome import WORKERS_HARMED
from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists, Changed, NotFound, StorageError
from contract.json_text import to_bytes

WINDOW_SECONDS = 3600.0
"""By the store's clock. Two sick machines an hour are had by a fleet of thousands; a bad dataset costs no more."""


def may_be_worker(store: BlobStore, dataset: str, worker: str) -> bool:
    """Whether a worker that fails the dataset's tiles at once, one after the other, is to blame for it.

    False from the third one within the window on. A storage that is away or refuses leaves the worker under
    suspicion: one machine too few does less harm than one that eats the queue.
    """
    names = (artifact_names.suspicion(dataset, number) for number in range(1, WORKERS_HARMED))
    try:
        record = to_bytes(
            {"v": 1, "worker": worker, "fell": store.now().astimezone(UTC).isoformat(timespec="seconds")}
        )
        return any(_is_free(store, name, record) for name in names)
    except StorageError:
        return True


def _is_free(store: BlobStore, name: str, record: bytes) -> bool:
    """Take one of the places, if nobody did within the window."""
    try:
        store.create(name, record)
    except AlreadyExists:
        try:
            found = store.read(name)
            if (store.now() - found.info.modified).total_seconds() < WINDOW_SECONDS:
                return found.data == record  # ours: the answer to a first try was lost
            store.replace(name, record, if_etag=found.info.etag)
        except (Changed, NotFound):
            return False  # somebody took it at this moment
    return True
