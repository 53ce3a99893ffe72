"""The claim to a second attempt: made beside the message's holder, once, by whoever creates its blob.

A second attempt holds no message and deletes none. It commits like any other; the holder finds the commit and settles.
"""

from __future__ import annotations

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists
from contract.json_text import to_bytes
from contract.tile_id import TileId

VERSION = 1
DEFAULT_SECOND_ATTEMPTS = 1
"""Of a job that does not say. Only idle workers make them, which are paid for anyway until they are released."""
MOST_SECOND_ATTEMPTS = 9


def claim_second_attempt(
    store: BlobStore,
    dataset: str,
    tile: TileId,
    generation: int,
    *,
    attempt: str,
    limit: int,
    old_seconds: float,
) -> int | None:
    """The number of the second attempt that is ours from now on; None when others have what the limit allows.

    A claimant may have died: `old_seconds` after a claim, by the store's clock, the next number is free. Asking
    again with the same `attempt` after an error finds out whether it was heard the first time.
    """
    record = to_bytes({"v": VERSION, "attempt": attempt})
    for number in range(1, limit + 1):
        name = artifact_names.second_attempt(dataset, tile, generation, number)
        try:
            store.create(name, record)
        except AlreadyExists:
            claim = store.read(name)
            if claim.data != record:
                if (store.now() - claim.info.modified).total_seconds() < old_seconds:
                    return None
                continue
        return number
    return None
