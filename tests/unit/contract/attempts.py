"""Attempts at one tile, as a worker makes them, and the laws that hold for the tile afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.commit import (
    CommitRecord,
    CommittedArtifact,
    clear_staging,
    create_commit,
    publish,
    read_commit,
    read_standing,
)
from contract.errors import StorageUnavailable
from contract.outcomes import Outcome
from contract.tile_id import parse_tile

DATASET = "tessera-v2-nano-2024-0123abcd"
TILE = parse_tile("grid_-4.55_54.15")
NAMES = ("2024/grid_-4.55_54.15/embedding.npy", "2024/grid_-4.55_54.15/scales.npy", "preview/x.png")
READS = {"read", "read_from", "info", "listing", "names", "download"}


@dataclass
class Attempt:
    """One worker's attempt; no two make the same bytes."""

    id: str
    generation: int = 1
    names: tuple[str, ...] = NAMES
    files: dict[str, bytes] = field(init=False)

    def __post_init__(self):
        self.files = {name: f"{name} by {self.id}".encode() for name in self.names}

    def record(self) -> CommitRecord:
        staging = artifact_names.staging_prefix(DATASET, TILE, self.generation, self.id)
        return CommitRecord(
            dataset=DATASET,
            tile=TILE,
            generation=self.generation,
            attempt=self.id,
            outcome=Outcome.DONE if self.names else Outcome.EMPTY,
            artifacts=tuple(
                CommittedArtifact(
                    name=name,
                    staging=staging + name,
                    length=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                    md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
                )
                for name, data in self.files.items()
            ),
            provenance={"scenes": [self.id]},
            done={"seconds": {"infer": 1.5}},
        )

    def upload(self, store: BlobStore) -> None:
        for artifact in self.record().artifacts:
            store.put(artifact.staging, self.files[artifact.name])

    def settle(self, store: BlobStore) -> CommitRecord:
        """Commit or find out who did, publish, clear up."""
        standing = publish(store, create_commit(store, self.record()).record)
        clear_staging(store, standing, self.id)
        return standing

    def finish(self, store: BlobStore) -> CommitRecord:
        self.upload(store)
        return self.settle(store)


class FailsAt:
    """A fault hook that raises StorageUnavailable at one of its calls for a write, counted from 0."""

    def __init__(self, step: int | None) -> None:
        self.step = step
        self.seen: list[tuple[str, str, str]] = []

    def __call__(self, moment, operation, name):
        if operation in READS:
            return
        self.seen.append((moment, operation, name))
        if len(self.seen) - 1 == self.step:
            raise StorageUnavailable(f"{moment} {operation} {name}")


class RunsAt:
    """A fault hook that lets something else happen at one of its calls, counted from 0."""

    def __init__(self, step: int, what) -> None:
        self.step = step
        self.what = what
        self.calls = 0

    def __call__(self, moment, operation, name):
        self.calls += 1
        if self.calls - 1 == self.step:
            self.what()


def client(container: SimulatedContainer, fault=None) -> SimulatedBlobStore:
    return SimulatedBlobStore(container, fault) if fault else SimulatedBlobStore(container)


def published_bytes(store: BlobStore) -> dict[str, bytes]:
    root = artifact_names.dataset_root(DATASET)
    commits = artifact_names.commits_prefix(DATASET)
    return {
        name.removeprefix(root): store.read(name).data
        for name in store.names(root)
        if not name.startswith(commits)
    }


def assert_published_whole(
    container: SimulatedContainer, attempts: list[Attempt], generation: int = 1
) -> Attempt:
    """As `assert_whole`, for readers of a simulated container."""
    return assert_whole(client(container), attempts, generation)


def assert_whole(store: BlobStore, attempts: list[Attempt], generation: int = 1) -> Attempt:
    """The newest commit is of that generation, marked published, and readers see exactly its attempt's bytes.

    Returns the attempt that won."""
    assert read_standing(store, DATASET, TILE).newest_committed == generation
    committed = read_commit(store, DATASET, TILE, generation)
    assert committed is not None
    assert committed.is_published
    (winner,) = [a for a in attempts if a.id == committed.record.attempt]
    assert winner.generation == generation
    assert published_bytes(store) == winner.files
    return winner


def staged(container: SimulatedContainer) -> list[str]:
    return list(client(container).names("staging/"))
