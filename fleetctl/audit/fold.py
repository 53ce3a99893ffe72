"""One pass over a dataset's listing: every commit and every artifact is added to its tile's line in the table.

Only what does not add up is looked at closer (`examine.py`), so a whole tile costs no request of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.commit_marks import TILE, fingerprint, read_commit_marks
from fleetctl.audit.tile_table import Seen, TileTable
from fleetctl.campaign.history import standing_commit

REPORT_BLOBS = 5000
"""Blobs between two reports of progress: a page."""

OnBlobs = Callable[[int, int], None]
"""Told how many blobs were seen, and about how many there are."""


@dataclass(slots=True)
class Folded:
    """How much the listing held."""

    blobs: int = 0
    commits: int = 0
    """Tiles with a commit that counts, asked by this job or by another one."""
    artifacts_expected: int = 0
    """What those commits say that they have."""
    unmarked: int = 0
    """Artifacts that do not say whose they are: an older program uploaded them, or none of ours."""


def fold_dataset(store: BlobStore, dataset: str, table: TileTable, on_blobs: OnBlobs) -> Folded:
    """Add up all commits and artifacts of a dataset; those of tiles that were not asked for are passed over."""
    folded = Folded()
    root = artifact_names.dataset_root(dataset)
    commits = artifact_names.commits_prefix(dataset)

    def counted(blobs: Iterable[BlobInfo]) -> Iterable[BlobInfo]:
        for blob in blobs:
            yield blob
            folded.blobs += 1
            if folded.blobs % REPORT_BLOBS == 0:
                on_blobs(folded.blobs, _expected_blobs(folded, len(table)))

    def tile_of_commit(blob: BlobInfo) -> str:
        return blob.name.removeprefix(commits).partition("/")[0] if blob.name.startswith(commits) else ""

    # Lexical order keeps the commits of one tile together.
    for tile, blobs in groupby(counted(store.listing(root, with_metadata=True)), key=tile_of_commit):
        if tile:
            _add_commits(folded, table, tile, blobs)
        else:
            for blob in blobs:
                _add_artifact(folded, table, blob.name.removeprefix(root), blob)
    on_blobs(folded.blobs, folded.blobs)
    return folded


def _add_commits(folded: Folded, table: TileTable, tile: str, blobs: Iterable[BlobInfo]) -> None:
    standing = standing_commit(blobs)
    marks = read_commit_marks(standing.metadata) if standing else None
    if marks is not None:
        folded.commits += 1
        folded.artifacts_expected += marks.checksum.count if marks.checksum else 0
    if (place := table.place_of_name(tile)) is None:
        return
    if marks is None:
        table.seen[place] |= Seen.REVOKED
        return
    table.seen[place] |= Seen.COMMITTED | (Seen.PUBLISHED if marks.is_published else Seen(0))
    if marks.checksum is not None:
        table.seen[place] |= Seen.MARKED
        table.expect(place, marks.checksum)


def _add_artifact(folded: Folded, table: TileTable, name: str, blob: BlobInfo) -> None:
    tile = blob.metadata.get(TILE)
    if tile is None:
        folded.unmarked += name not in artifact_names.RESERVED_IN_DATASET
    elif (place := table.place_of_name(tile)) is not None:
        table.add_artifact(place, fingerprint_of(name, blob))


def fingerprint_of(name: str, blob: BlobInfo) -> int:
    """Of an artifact as it is stored; `name` is its name below the dataset's root."""
    return fingerprint(name, blob.length, blob.md5.hex() if blob.md5 is not None else "")


def _expected_blobs(folded: Folded, asked: int) -> int:
    """About how many blobs there will be: commits come first, and say how many artifacts follow them."""
    per_tile = 1 + folded.artifacts_expected / folded.commits if folded.commits else 1
    return max(folded.blobs, round(max(asked, folded.commits) * per_tile))
