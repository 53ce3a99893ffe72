"""The one instant at which a tile is done, and the publication that follows from it.

A commit is a blob that can be created once, named by dataset, tile and generation. Everything before it may
be repeated by anybody; everything after it follows from the record and may be finished by anybody:

    upload to staging -> create commit -> copy to the dataset's names -> mark published -> clear staging

Revoking a result makes the next generation the one that is asked for. Publication always copies from the
highest committed generation, and a copy that began before a newer one was committed cannot land after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from contract import artifact_names
from contract.blob_limits import NO_BLOB
from contract.blob_store import Blob, BlobInfo, BlobStore
from contract.commit_marks import PUBLISHED, marks_of_commit
from contract.commit_record import MAX_COMMIT_BYTES, CommitRecord, CommittedArtifact, decode_commit
from contract.errors import AlreadyExists, BadInput, Changed, NotFound, StorageError, StorageUnavailable
from contract.json_text import to_bytes
from contract.tile_id import TileId

__all__ = [
    "CommitRecord",
    "Committed",
    "CommittedArtifact",
    "LostTo",
    "Standing",
    "Won",
    "clear_staging",
    "create_commit",
    "decode_commit",
    "publish",
    "read_commit",
    "read_standing",
    "revoke",
    "standing_of",
]

PUBLICATION_ROUNDS = 4
"""Each round that fails means that somebody else made progress meanwhile."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit as it was read."""

    record: CommitRecord
    etag: str
    published_at: str
    """UTC, ISO 8601; empty: not yet."""

    @property
    def is_published(self) -> bool:
        return bool(self.published_at)


@dataclass(frozen=True, slots=True)
class Standing:
    """Which generations of a tile were committed and which revoked, from one listing."""

    committed: frozenset[int]
    revoked: frozenset[int]

    @property
    def newest_committed(self) -> int:
        """The generation whose artifacts are the tile's result; 0: none."""
        return max(self.committed, default=0)

    @property
    def is_done(self) -> bool:
        """Whether the newest result still counts."""
        return self.newest_committed > max(self.revoked, default=0)

    @property
    def asked(self) -> int:
        """The generation that counts, or would count if it were committed."""
        return max(self.newest_committed, max(self.revoked, default=0) + 1)


@dataclass(frozen=True, slots=True)
class Won:
    """Our attempt is the tile's result."""

    record: CommitRecord


@dataclass(frozen=True, slots=True)
class LostTo:
    """Another attempt is the tile's result, of this generation or of a newer one."""

    record: CommitRecord


def read_commit(store: BlobStore, dataset: str, tile: TileId, generation: int) -> Committed | None:
    """The commit of that generation, if there is one. BadInput when the blob is not a commit of that name."""
    name = artifact_names.commit(dataset, tile, generation)
    try:
        blob: Blob = store.read(name, max_bytes=MAX_COMMIT_BYTES)
    except NotFound:
        return None
    except ValueError as error:  # longer than any commit
        raise BadInput(f"{name} is no commit: {error}") from error
    record = decode_commit(blob.data)
    if record.blob_name != name:
        raise BadInput(f"{name} holds the commit {record.blob_name}")
    return Committed(record, blob.info.etag, blob.info.metadata.get(PUBLISHED, ""))


def read_standing(store: BlobStore, dataset: str, tile: TileId) -> Standing:
    """The generations of a tile."""
    prefix = artifact_names.commits_prefix(dataset, tile)
    return standing_of(name.removeprefix(prefix) for name in store.names(prefix))


def standing_of(records: Iterable[str]) -> Standing:
    """One tile's standing from the names of all its records: `g1`, `g1.revoked`, ..."""
    found = [one for record in records if (one := artifact_names.generation_in(record)) is not None]
    return Standing(
        committed=frozenset(generation for generation, is_revoked in found if not is_revoked),
        revoked=frozenset(generation for generation, is_revoked in found if is_revoked),
    )


def create_commit(store: BlobStore, record: CommitRecord) -> Won | LostTo:
    """Make this attempt the tile's result, unless another one is.

    A repeat after any error is safe and finds out who won. StorageUnavailable: nobody knows yet, repeat.
    Changed: the generation was revoked before it had a result, so there is nothing to win.
    """
    standing = read_standing(store, record.dataset, record.tile)
    if standing.asked > record.generation or record.generation in standing.committed:
        return _who_won(store, record, standing.newest_committed)
    try:
        store.create(record.blob_name, record.encode(), metadata=marks_of_commit(record))
    except (AlreadyExists, StorageUnavailable):
        # A lost answer may hide our own success: only the record itself says whose it is.
        if read_commit(store, record.dataset, record.tile, record.generation) is None:
            raise
        return _who_won(store, record, record.generation)
    return Won(record)


def publish(store: BlobStore, record: CommitRecord) -> CommitRecord:
    """Put the artifacts of the tile's highest committed generation under the dataset's names, and mark it so.

    `record` tells which tile. Returns the record that is published now. Whoever meets an unpublished commit
    may call this, any number of times, also beside each other: the bytes are the same.
    """
    last_error: StorageError | None = None
    for _ in range(PUBLICATION_ROUNDS):
        committed = _newest_commit(store, record)
        if committed.is_published:
            if last_error is not None:  # our last round may have brought back what this generation removed
                _remove_superseded(store, committed.record)
            return committed.record
        try:
            _copy_artifacts(store, committed.record)
            _remove_superseded(store, committed.record)
            marks = {**marks_of_commit(committed.record), PUBLISHED: _utc(store.now())}
            store.set_metadata(committed.record.blob_name, marks, if_etag=committed.etag)
        except (Changed, NotFound) as error:
            # Somebody published it meanwhile (and cleared its staging), or committed a newer generation.
            last_error = error
        else:
            return committed.record
    raise StorageError(
        f"publishing {record.tile} of {record.dataset}: {last_error}; what the commit names is not there, "
        "so revoke the tile to have it done again"
    ) from last_error


def clear_staging(store: BlobStore, standing: CommitRecord, attempt: str) -> int:
    """Delete what `attempt` uploaded for the tile of `standing`; once that is published, what anybody did.

    Does nothing while the commit is unpublished and names this attempt: its uploads are the only copy.
    Returns how many blobs were deleted.
    """
    committed = read_commit(store, standing.dataset, standing.tile, standing.generation)
    is_published = committed is not None and committed.is_published
    if not is_published and (committed is None or committed.record.attempt == attempt):
        return 0
    prefix = _staging_of_tile(standing)
    deleted = 0
    for name in list(store.names(prefix)):
        folder, _, rest = name.removeprefix(prefix).partition("/")
        is_ours = rest.startswith(f"{attempt}/")
        found = artifact_names.generation_in(folder)
        is_past = is_published and found is not None and found[0] <= standing.generation
        if is_ours or is_past:
            deleted += store.delete(name)
    return deleted


def revoke(store: BlobStore, dataset: str, tile: TileId, generation: int, reason: str) -> int:
    """Say that a committed generation no longer counts; returns the generation to ask for.

    Readers keep the old bytes until that is committed. A second call keeps the first reason.
    BadInput when there is no such commit.
    """
    if generation not in read_standing(store, dataset, tile).committed:
        raise BadInput(f"{tile} of {dataset} has no commit of generation {generation} to revoke")
    name = artifact_names.revocation(dataset, tile, generation)
    with suppress(AlreadyExists):
        store.create(name, to_bytes({"v": 1, "reason": reason, "revoked": _utc(store.now())}))
    return generation + 1


def _who_won(store: BlobStore, record: CommitRecord, generation: int) -> Won | LostTo:
    committed = read_commit(store, record.dataset, record.tile, generation) if generation else None
    if committed is None or committed.record.generation < record.generation:
        raise Changed(
            f"committing {record.tile} of {record.dataset}: generation {record.generation} was revoked "
            "before it had a result; a newer one is asked for"
        )
    return Won(record) if committed.record.attempt == record.attempt else LostTo(committed.record)


def _newest_commit(store: BlobStore, record: CommitRecord) -> Committed:
    newest = read_standing(store, record.dataset, record.tile).newest_committed
    committed = read_commit(store, record.dataset, record.tile, newest) if newest else None
    if committed is None:
        raise NotFound(f"publishing {record.tile} of {record.dataset}: it has no commit")
    return committed


def _copy_artifacts(store: BlobStore, record: CommitRecord) -> None:
    """Copy what is not there yet. Changed when a newer generation was committed meanwhile.

    The order is the fence: look at the targets, then make sure that ours is the newest generation, then copy
    only over what was seen. Copies of a newer generation come after its commit, so they come after the look,
    and make ours fail. One case slips through: a target that was absent, was published meanwhile and was then
    removed by a newer generation looks absent again; so look once more at the end.
    """
    targets = {a: artifact_names.published(record.dataset, a.name) for a in record.artifacts}
    seen = {artifact: _info_or_none(store, target) for artifact, target in targets.items()}
    _check_newest(store, record)
    for artifact, target in targets.items():
        before = seen[artifact]
        if before is not None and _is_same(before, artifact):
            continue
        over = NO_BLOB if before is None else before.etag
        copied = store.copy(artifact.staging, target, if_target_etag=over)
        if not _is_same(copied, artifact):
            raise StorageError(
                f"publishing {target}: {copied.length} bytes, MD5 {(copied.md5 or b'').hex()} were copied, "
                f"the commit says {artifact.length} bytes, MD5 {artifact.md5}"
            )
    _check_newest(store, record)


def _check_newest(store: BlobStore, record: CommitRecord) -> None:
    if read_standing(store, record.dataset, record.tile).newest_committed != record.generation:
        raise Changed(f"{record.tile} of {record.dataset} has a newer commit")


def _remove_superseded(store: BlobStore, record: CommitRecord) -> None:
    """Delete published artifacts of older generations that this one does not have. What an unreadable record
    named stays: `fleetctl verify` calls it left over."""
    if record.generation == 1:
        return
    names = {artifact.name for artifact in record.artifacts}
    for generation in read_standing(store, record.dataset, record.tile).committed:
        if generation < record.generation:
            older = None
            with suppress(BadInput):
                older = read_commit(store, record.dataset, record.tile, generation)
            for artifact in older.record.artifacts if older else ():
                if artifact.name not in names:
                    store.delete(artifact_names.published(record.dataset, artifact.name))


def _staging_of_tile(record: CommitRecord) -> str:
    of_attempt = artifact_names.staging_prefix(record.dataset, record.tile, record.generation, record.attempt)
    return of_attempt.removesuffix(f"g{record.generation}/{record.attempt}/")


def _info_or_none(store: BlobStore, name: str) -> BlobInfo | None:
    try:
        return store.info(name)
    except NotFound:
        return None


def _is_same(info: BlobInfo, artifact: CommittedArtifact) -> bool:
    return info.length == artifact.length and info.md5 is not None and info.md5.hex() == artifact.md5


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
