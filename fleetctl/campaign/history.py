"""What happened to a job, gathered from the container: its list, its commits, what was given up.

One listing tells which tiles are committed and when; the records behind it are read only by who needs
what is in them, a few at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.commit_marks import read_commit_marks
from contract.commit_record import MAX_COMMIT_BYTES, CommitRecord, decode_commit
from contract.dataset import Dataset
from contract.errors import BadInput
from contract.job import Job
from contract.job_store import asked_tiles, read_asked, read_dataset
from contract.outcomes import Outcome
from contract.tile_id import TileId
from fleetctl.ahead import read_ahead
from fleetctl.campaign.job_list import choose_job

__all__ = [
    "JobHistory",
    "ListedCommit",
    "choose_job",
    "gather_history",
    "list_commits",
    "read_records",
]


@dataclass(frozen=True, slots=True)
class ListedCommit:
    """A tile's result that counts, as the listing shows it."""

    tile: str
    """Path name."""
    blob_name: str
    etag: str
    written: datetime
    """When the record was last written, by the store's clock: its publication, else its creation."""
    is_published: bool
    outcome: Outcome | None
    """None where the record's writer did not mark it."""


@dataclass(frozen=True, slots=True)
class JobHistory:
    """One job at one moment."""

    job: Job
    dataset: Dataset
    asked: tuple[TileId, ...]
    commits: tuple[ListedCommit, ...]
    """Of asked tiles only, also when another job of the same dataset had them made."""
    poison: frozenset[str]
    """Path names of asked tiles that were given up and have no commit."""

    @property
    def is_untrained(self) -> bool:
        return not self.dataset.is_trained

    @property
    def last_commit(self) -> datetime | None:
        return max((commit.written for commit in self.commits), default=None)


def gather_history(store: BlobStore, job: Job, known: JobHistory | None = None) -> JobHistory:
    """Everything that listings and the job's own records tell. What can never change (the asked list, the
    dataset) is taken from `known`, an earlier history of the same job, if there is one."""
    asked = known.asked if known else tuple(asked_tiles(read_asked(store, job)))
    names = {tile.path_name for tile in asked}
    commits = tuple(commit for commit in list_commits(store, job.dataset) if commit.tile in names)
    committed = {commit.tile for commit in commits}
    prefix = f"{artifact_names.POISON_PREFIX}{job.dataset}/"
    poison = {name.removeprefix(prefix) for name in store.names(prefix)}
    return JobHistory(
        job=job,
        dataset=known.dataset if known else read_dataset(store, job.dataset),
        asked=asked,
        commits=commits,
        poison=frozenset((poison & names) - committed),
    )


def list_commits(store: BlobStore, dataset: str) -> Iterator[ListedCommit]:
    """The commit that counts of every tile of a dataset, page by page; revoked ones are left out."""
    prefix = artifact_names.commits_prefix(dataset)
    listing = store.listing(prefix, with_metadata=True)
    # Lexical order keeps the blobs of one tile together.
    for tile, blobs in groupby(listing, key=lambda blob: blob.name.removeprefix(prefix).partition("/")[0]):
        if (standing := standing_commit(blobs)) is not None:
            marks = read_commit_marks(standing.metadata)
            yield ListedCommit(
                tile=tile,
                blob_name=standing.name,
                etag=standing.etag,
                written=standing.modified,
                is_published=marks.is_published,
                outcome=marks.outcome,
            )


def read_records(
    store: BlobStore, commits: Iterable[ListedCommit], connections: int
) -> Iterator[tuple[ListedCommit, CommitRecord]]:
    """The records behind the listing, in its order, some of them read ahead. BadInput names a damaged one."""

    def read(commit: ListedCommit) -> CommitRecord:
        try:
            return decode_commit(store.read(commit.blob_name, max_bytes=MAX_COMMIT_BYTES).data)
        except (BadInput, ValueError) as error:
            raise BadInput(
                f"{commit.blob_name} is damaged ({error}): "
                f"`fleetctl redo JOB --tiles FILE` has {commit.tile} done again"
            ) from error

    return read_ahead(read, commits, connections)


def standing_commit(blobs: Iterable[BlobInfo]) -> BlobInfo | None:
    """Of the records of one tile the newest generation's commit, unless that was revoked."""
    newest, newest_revoked, standing = 0, 0, None
    for blob in blobs:
        found = artifact_names.generation_in(blob.name.rpartition("/")[2])
        if found is None:
            continue
        generation, is_revoked = found
        if is_revoked:
            newest_revoked = max(newest_revoked, generation)
        elif generation > newest:
            newest, standing = generation, blob
    return standing if newest > newest_revoked else None
