"""What the storage tells of an attempt that began a tile and never reported: the evidence for `outcome.py`.

Asked only for a message that says that somebody began, which is rare: two requests, none for any other.
"""

from __future__ import annotations

from consumer.outcome import Evidence
from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.eviction import read_eviction
from contract.tile_message import TileMessage, checkpoint_blocks


def gather_evidence(store: BlobStore, message: TileMessage) -> Evidence:
    """Whether its machine was taken away, and how far the tile's checkpoints go. StorageError: not known now."""
    prefix = artifact_names.checkpoints_prefix(message.dataset, message.tile, message.generation)
    checkpoint = max(store.names(prefix), key=checkpoint_blocks, default="")
    return Evidence(eviction=_why_evicted(store, message), checkpoint=checkpoint)


def _why_evicted(store: BlobStore, message: TileMessage) -> str:
    if message.begun is None:
        return ""
    try:
        eviction = read_eviction(store, message.begun.vm, message.begun.boot_id)
    except BadInput:  # a machine without a usable name, or a record that is none: it explains nothing
        return ""
    return f"{eviction.seen_by}: {eviction.reason}" if eviction is not None else ""
