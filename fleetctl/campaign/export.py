"""A job's published artifacts as files: the data set root that a researcher's own tools open.

Resumable: a file that is there with the digest that the commit states is not fetched again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit_record import CommitRecord, CommittedArtifact
from contract.errors import BadInput, NotFound
from fleetctl.ahead import read_ahead
from fleetctl.campaign.history import JobHistory, read_records

RECORD_NAME = "dataset.json"


@dataclass(frozen=True, slots=True)
class TileExport:
    """What became of one committed tile."""

    tile: str
    fetched_bytes: int
    kept_bytes: int
    """Were there already, with the right digest."""
    problem: str = ""
    """Why the tile is not whole; empty: it is."""


@dataclass(frozen=True, slots=True)
class Export:
    """What became of all of them."""

    folder: Path
    whole_tiles: int
    fetched_bytes: int
    kept_bytes: int
    problems: tuple[TileExport, ...]


def export_dataset(
    store: BlobStore,
    history: JobHistory,
    folder: Path,
    *,
    connections: int,
    on_tile: Callable[[TileExport], None] = lambda _: None,
) -> Export:
    """Bring every committed tile of the job into `folder`, each file checked against its commit.

    A tile that is not whole (not published yet, or other bytes than its commit says) is a problem in
    the answer, and none of its wrong files stays. BadInput when the folder holds another dataset.
    """
    _begin(store, history, folder)
    records = (record for _, record in read_records(store, history.commits, connections))
    exports: list[TileExport] = []
    for _, export in read_ahead(lambda record: _export_tile(store, record, folder), records, connections):
        exports.append(export)
        on_tile(export)
    problems = tuple(export for export in exports if export.problem)
    return Export(
        folder=folder,
        whole_tiles=len(exports) - len(problems),
        fetched_bytes=sum(export.fetched_bytes for export in exports),
        kept_bytes=sum(export.kept_bytes for export in exports),
        problems=problems,
    )


def _begin(store: BlobStore, history: JobHistory, folder: Path) -> None:
    """Make the folder and put the dataset's pins into it, first: they say whose files follow."""
    record = store.read(artifact_names.dataset_record(history.job.dataset)).data
    target = folder / RECORD_NAME
    if target.exists() and target.read_bytes() != record:
        raise BadInput(f"{folder} holds another dataset; choose an empty --output folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_bytes(record)
    except OSError as error:
        raise BadInput(f"{folder} cannot be written to: {error.strerror}") from error


def _export_tile(store: BlobStore, record: CommitRecord, folder: Path) -> TileExport:
    fetched_bytes = kept_bytes = 0
    problem = ""
    for artifact in record.artifacts:
        # `published` accepts only plain relative names, so the path stays inside the folder.
        blob_name = artifact_names.published(record.dataset, artifact.name)
        path = folder / artifact.name
        if _is_same(path, artifact):
            kept_bytes += artifact.length
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            store.download(blob_name, path)
        except OSError as error:
            raise BadInput(
                f"{path} cannot be written: {error.strerror or error}; make room and type the command again"
            ) from error
        except NotFound:
            problem = f"{artifact.name} is not published yet"
            continue
        if _is_same(path, artifact):
            fetched_bytes += artifact.length
        else:
            with suppress(FileNotFoundError):
                path.unlink()
            problem = f"{artifact.name} has other bytes than its commit says"
    return TileExport(record.tile.name, fetched_bytes, kept_bytes, problem)


def _is_same(path: Path, artifact: CommittedArtifact) -> bool:
    if not path.is_file() or path.stat().st_size != artifact.length:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
