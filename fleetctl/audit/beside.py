"""What lies beside a dataset's results and is only counted: staging, checkpoints, claims to second attempts.

Of a tile in work they are as they should be; of a committed tile they are left over, and harm nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.artifact_names import checkpoints_of, second_attempts_of, staging_of
from contract.blob_store import BlobStore
from fleetctl.audit.tile_table import Seen, TileTable


@dataclass(frozen=True, slots=True)
class Count:
    """Blobs of one kind, of the asked tiles."""

    in_work: int
    left_over: int
    """Of tiles that are committed."""


@dataclass(frozen=True, slots=True)
class Beside:
    """By what they are."""

    staging: Count
    checkpoints: Count
    second_claims: Count


def count_beside(store: BlobStore, dataset: str, table: TileTable) -> Beside:
    """From names alone."""
    return Beside(
        staging=_count(store, staging_of(dataset), table),
        checkpoints=_count(store, checkpoints_of(dataset), table),
        second_claims=_count(store, second_attempts_of(dataset), table),
    )


def _count(store: BlobStore, prefix: str, table: TileTable) -> Count:
    in_work = left_over = 0
    for name in store.names(prefix):
        place = table.place_of_name(name.removeprefix(prefix).partition("/")[0])
        if place is not None:
            is_over = bool(table.seen[place] & Seen.COMMITTED)
            left_over += is_over
            in_work += not is_over
    return Count(in_work, left_over)
