"""Are the asked tiles of a job committed or explained? What `--until-empty` waits for and reports count."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.job import JobState
from contract.job_store import asked_tiles, read_asked, read_job, read_status

_COMMIT = re.compile(r".*/commits/([^/]+)/g(\d+)(\.revoked)?")


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
    job = read_job(store, job_id)
    asked = {tile.path_name for tile in asked_tiles(read_asked(store, job))}
    if read_status(store, job_id).status.state is JobState.CANCELLED:
        return Completion(job_id, len(asked), 0, len(asked))
    committed = asked & committed_tiles(store.names(artifact_names.commits_prefix(job.dataset)))
    prefix = f"{artifact_names.POISON_PREFIX}{job.dataset}/"
    poisoned = {name.removeprefix(prefix) for name in store.names(prefix)}
    return Completion(job_id, len(asked), len(committed), len((asked & poisoned) - committed))


def committed_tiles(commit_names: Iterable[str]) -> set[str]:
    """Path names of the tiles whose newest generation is committed and not revoked."""
    newest: dict[str, tuple[int, bool]] = {}
    for name in commit_names:
        match = _COMMIT.fullmatch(name)
        if match:
            tile, generation, revoked = match.group(1), int(match.group(2)), match.group(3) is not None
            newest[tile] = max(newest.get(tile, (0, False)), (generation, revoked))
    return {tile for tile, (_, is_revoked) in newest.items() if not is_revoked}
