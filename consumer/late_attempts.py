"""Attempts at a tile that another one has committed meanwhile: nobody needs what they would still give."""

from __future__ import annotations

import structlog

from consumer.work import Work
from contract import log_lines
from contract.blob_store import BlobStore
from contract.commit import read_commit
from contract.errors import BadInput, LeaseLost, StorageError

log = structlog.get_logger()


def end_if_late(store: BlobStore, work: Work) -> None:
    """Ask a late attempt to end at its next boundary; one read. What it uploaded is deleted as it settles: who
    committed may have cleared already."""
    if winner := winner_over(store, work):
        work.end_early(LeaseLost(f"{work.tile_name}: attempt {winner} committed it meanwhile"))


def winner_over(store: BlobStore, work: Work) -> str:
    """The attempt that committed the tile instead of this one; empty when none did, as far as the storage tells."""
    message = work.message
    try:
        committed = read_commit(store, message.dataset, message.tile, message.generation)
    except (StorageError, BadInput) as error:
        log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=str(error))
        return ""
    if committed is None or committed.record.attempt == work.attempt:
        return ""
    return committed.record.attempt
