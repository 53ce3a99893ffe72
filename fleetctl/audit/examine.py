"""One tile looked at closely: its standing, its record, and every artifact that the record names, as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.commit import CommitRecord, read_commit, read_standing
from contract.commit_marks import FINGERPRINT_MASK, TILE, Checksum, checksum, fingerprint
from contract.commit_record import CommittedArtifact
from contract.errors import BadInput, NotFound
from contract.tile_id import TileId
from fleetctl.audit.faults import Fault, FaultKind, TileFinding
from fleetctl.audit.fold import fingerprint_of


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding, and whether it accounts for all that the listing showed of the tile."""

    finding: TileFinding
    explained: Checksum
    """The balance that the listing would show if nothing else were there."""


def examine(store: BlobStore, dataset: str, tile: TileId) -> Examined:
    """The tile as it is now, a request per artifact."""
    standing = read_standing(store, dataset, tile)
    generation = standing.newest_committed if standing.is_done else 0
    if not generation:
        return Examined(TileFinding(tile, 0, (), is_revoked=bool(standing.revoked)), Checksum(0, 0))
    try:
        committed = read_commit(store, dataset, tile, generation)
    except BadInput as error:
        fault = Fault(FaultKind.UNREADABLE_COMMIT, "", str(error))
        return Examined(TileFinding(tile, generation, (fault,)), Checksum(0, 0))
    if committed is None:  # deleted between two requests
        return Examined(TileFinding(tile, 0, ()), Checksum(0, 0))
    there = list(_look(store, committed.record))
    if committed.is_published:
        faults = tuple(_faults(there))
    else:
        missing = sum(1 for _ in _faults(there))
        detail = f"{missing} of {len(there)} artifacts are not under the dataset's names yet"
        faults = (Fault(FaultKind.NOT_PUBLISHED, "", detail),)
    return Examined(TileFinding(tile, generation, faults), _explained(tile, there))


def left_over(store: BlobStore, dataset: str, tiles: Iterable[TileId]) -> Iterator[tuple[TileId, Fault]]:
    """Artifacts of these tiles that their commits do not name. Goes through the whole dataset once."""
    wanted = {tile.path_name: tile for tile in tiles}
    root = artifact_names.dataset_root(dataset)
    for blob in store.listing(root, with_metadata=True):
        tile = wanted.get(blob.metadata.get(TILE, ""))
        name = blob.name.removeprefix(root)
        if tile is not None and not is_named(store, dataset, tile, name):
            yield tile, Fault(FaultKind.LEFT_OVER, name, f"{blob.length} bytes that its commit does not name")


def is_named(store: BlobStore, dataset: str, tile: TileId, name: str) -> bool:
    """Whether the tile's newest commit has an artifact of that name. True, too, where that cannot be read:
    nobody may delete what a commit may name."""
    newest = read_standing(store, dataset, tile).newest_committed
    try:
        committed = read_commit(store, dataset, tile, newest) if newest else None
    except BadInput:
        return True
    return committed is not None and any(artifact.name == name for artifact in committed.record.artifacts)


def _look(store: BlobStore, record: CommitRecord) -> Iterator[tuple[CommittedArtifact, BlobInfo | None]]:
    for artifact in record.artifacts:
        try:
            yield artifact, store.info(artifact_names.published(record.dataset, artifact.name))
        except NotFound:
            yield artifact, None


def _faults(there: Iterable[tuple[CommittedArtifact, BlobInfo | None]]) -> Iterator[Fault]:
    for artifact, info in there:
        if (fault := _fault(artifact, info)) is not None:
            yield fault


def _fault(artifact: CommittedArtifact, info: BlobInfo | None) -> Fault | None:
    if info is None:
        return Fault(FaultKind.MISSING, artifact.name, f"{artifact.length} bytes are gone")
    if info.length != artifact.length:
        detail = f"{info.length} bytes, its commit says {artifact.length}"
        return Fault(FaultKind.WRONG_LENGTH, artifact.name, detail)
    md5 = info.md5.hex() if info.md5 is not None else "none"
    if md5 != artifact.md5:
        return Fault(FaultKind.WRONG_MD5, artifact.name, f"{md5} is stored, its commit says {artifact.md5}")
    return None


def _explained(tile: TileId, there: list[tuple[CommittedArtifact, BlobInfo | None]]) -> Checksum:
    """What is there under the record's names and marked as this tile's, less what the record names."""
    found = checksum(
        fingerprint_of(artifact.name, info)
        for artifact, info in there
        if info is not None and info.metadata.get(TILE) == tile.path_name
    )
    named = checksum(fingerprint(a.name, a.length, a.md5) for a, _ in there)
    return Checksum(found.count - named.count, (found.total - named.total) & FINGERPRINT_MASK)
