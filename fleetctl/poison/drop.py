"""A person's word that an entry stays as it is: the tile remains explained, and nobody is asked about it again."""

from __future__ import annotations

from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.poison_entry import Dropped, with_drop
from fleetctl.poison.entries import EntryState, FoundEntry


def drop_entry(store: BlobStore, found: FoundEntry, *, reason: str, when: str) -> bool:
    """Mark the entry; False when it was dropped before, whose reason stays. `when` is UTC, ISO 8601.

    BadInput when there is nothing to drop; Changed or NotFound when somebody acted on it meanwhile.
    """
    if found.state is EntryState.RESOLVED:
        raise BadInput(f"{found.short_name} is committed meanwhile: there is nothing to drop")
    if found.state is EntryState.UNREADABLE:
        raise BadInput(f"{found.short_name} cannot be read ({found.problem}): look at the blob itself")
    if found.state is EntryState.DROPPED:
        return False
    store.replace(found.blob_name, with_drop(found.data, Dropped(reason, when)), if_etag=found.etag)
    return True
