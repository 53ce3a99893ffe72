"""Are the asked tiles of a job committed or explained? What `--until-empty` waits for and reports count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit import read_standing
from contract.job import Job, JobState
from contract.job_store import asked_tiles, read_asked, read_job, read_status
from contract.tile_id import TileId


@dataclass(frozen=True, slots=True)
class Completion:
    """How far a job is."""

    job: str
    asked: int
    committed: int
    explained: int
    """Poison entries of tiles without a commit."""

    @property
    def is_complete(self) -> bool:
        return self.committed + self.explained >= self.asked


def completion(store: BlobStore, job_id: str) -> Completion:
    """Counted from listings: asked = committed + explained is the law of a finished job."""
    return _look(store, read_job(store, job_id)).completion


class CompletionWatch:
    """Whether a job is complete, asked every few seconds: as long as one tile that was missing is still missing,
    that tile is answer enough, and three small requests tell. Only when it is there all of them are counted."""

    def __init__(self, store: BlobStore, job_id: str) -> None:
        """BadInput when there is no such job."""
        self._store = store
        self._job = read_job(store, job_id)
        self._missing: TileId | None = None

    def is_complete(self) -> bool:
        """Every asked tile is committed or explained now."""
        if self._missing is not None and self._is_still(self._missing):
            return False
        look = _look(self._store, self._job)
        self._missing = look.last_missing
        return look.completion.is_complete

    def _is_still(self, missing: TileId) -> bool:
        dataset, poison = self._job.dataset, artifact_names.poison(self._job.dataset, missing)
        return (
            not read_standing(self._store, dataset, missing).is_done
            and poison not in self._store.names(poison)
            and not _is_cancelled(self._store, self._job)
        )


@dataclass(frozen=True, slots=True)
class _Look:
    completion: Completion
    last_missing: TileId | None
    """The last of the asked list that is neither committed nor explained: likely to be among the last done."""


def _look(store: BlobStore, job: Job) -> _Look:
    asked = read_asked(store, job)
    if _is_cancelled(store, job):
        return _Look(Completion(job.id, job.asked_count, 0, job.asked_count), None)
    committed_names = committed_tiles(store.names(artifact_names.commits_prefix(job.dataset)))
    prefix = f"{artifact_names.POISON_PREFIX}{job.dataset}/"
    poisoned_names = {name.removeprefix(prefix) for name in store.names(prefix)}
    committed = explained = 0
    last_missing = None
    for tile in asked_tiles(asked):
        if tile.path_name in committed_names:
            committed += 1
        elif tile.path_name in poisoned_names:
            explained += 1
        else:
            last_missing = tile
    return _Look(Completion(job.id, job.asked_count, committed, explained), last_missing)


def _is_cancelled(store: BlobStore, job: Job) -> bool:
    return read_status(store, job.id).status.state is JobState.CANCELLED


def committed_tiles(commit_names: Iterable[str]) -> set[str]:
    """Path names of the tiles whose newest generation is committed and not revoked."""
    newest: dict[str, tuple[int, bool]] = {}
    for name in commit_names:
        folder, _, record = name.rpartition("/")
        if (found := artifact_names.generation_in(record)) is not None:
            tile = folder.rpartition("/")[2]
            newest[tile] = max(newest.get(tile, (0, False)), found)
    return {tile for tile, (_, is_revoked) in newest.items() if not is_revoked}
