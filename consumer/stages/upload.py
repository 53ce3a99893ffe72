"""Upload: artifacts go under the attempt's own staging prefix, each checked, and the commit is drawn up."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumer.checkpoints.blocks import Blocks
from consumer.recipe import Artifact
from consumer.work import TIMED_STAGES, Stage, Work
from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit import CommitRecord, CommittedArtifact
from contract.commit_marks import marks_of_artifact
from contract.errors import LeaseLost, StorageError, StorageUnavailable
from contract.outcomes import Outcome

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class UploadStage:
    """Runs in an upload thread."""

    store: BlobStore
    scratch_folder: Path
    worker: str

    def __call__(self, work: Work) -> None:
        if work.is_done_before:
            return
        if work.prepared is None or work.recipe is None:
            raise AssertionError("upload follows preparation")
        work.enter(Stage.UPLOAD)
        work.uploaded_bytes = 0
        # Made at need: an eviction wipes the scratch disk under a machine that comes back.
        folder = self.scratch_folder / work.attempt
        folder.mkdir(parents=True, exist_ok=True)
        try:
            written = work.recipe.write(work.prepared, work.result, folder)
            committed = [
                self._upload(work, artifact, done / len(written.artifacts))
                for done, artifact in enumerate(written.artifacts, start=1)
            ]
        except LeaseLost:
            self._discard(work)
            raise
        except FileNotFoundError as error:
            if folder.is_dir():
                raise
            raise StorageUnavailable(
                f"{folder} vanished while the result was written: it is written again"
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        work.leave(Stage.UPLOAD)
        work.commit = self._record(work, committed, written.provenance)

    def _discard(self, work: Work) -> None:
        """Delete what a late attempt uploaded: it has no commit, and who commits may have cleared already."""
        message = work.message
        prefix = artifact_names.staging_prefix(
            message.dataset, message.tile, message.generation, work.attempt
        )
        with suppress(StorageError):  # the lifecycle rule on staging gets what is left
            for name in list(self.store.names(prefix)):
                self.store.delete(name)

    def _upload(self, work: Work, artifact: Artifact, share: float) -> CommittedArtifact:
        message = work.message
        names = (message.dataset, message.tile, message.generation, work.attempt)
        staging = artifact_names.staging_prefix(*names)
        sha256, md5, length = file_digests(artifact.path)
        marks = marks_of_artifact(message.tile, message.generation)
        info = self.store.upload(staging + artifact.name, artifact.path, metadata=marks)
        if info.length != length or (info.md5 is not None and info.md5.hex() != md5):
            raise StorageUnavailable(
                f"{artifact.name} arrived with {info.length} bytes, {length} were sent: the tile comes back later"
            )
        work.uploaded_bytes += length
        work.report_progress(share)
        return CommittedArtifact(
            name=artifact.name, staging=staging + artifact.name, length=length, sha256=sha256, md5=md5
        )

    def _record(
        self, work: Work, committed: list[CommittedArtifact], provenance: Mapping[str, Any]
    ) -> CommitRecord:
        message = work.message
        is_empty = work.prepared is not None and work.prepared.is_empty
        outcome = Outcome.EMPTY if is_empty else Outcome.DONE
        return CommitRecord(
            dataset=message.dataset,
            tile=message.tile,
            generation=message.generation,
            attempt=work.attempt,
            outcome=outcome,
            artifacts=tuple(committed),
            provenance=dict(provenance),
            done=done_facts(work, self.worker, outcome),
        )


def done_facts(work: Work, worker: str, outcome: Outcome) -> dict[str, Any]:
    """All that the ledger's `done` line says, also kept in the commit: the line may come late or never."""
    infer_ended = work.ended_at.get(Stage.INFER)
    return {
        "job": work.message.job,
        "dataset": work.message.dataset,
        "tile": work.tile_name,
        "generation": work.message.generation,
        "attempt": work.attempt,
        "worker": worker,
        "outcome": outcome.value,
        "seconds": {s.value: round(work.seconds[s], 3) for s in TIMED_STAGES if s in work.seconds},
        "began": work.received_at.isoformat(timespec="milliseconds"),
        "infer_ended": infer_ended.isoformat(timespec="milliseconds") if infer_ended else None,
        "downloaded_bytes": work.downloaded_bytes,
        "uploaded_bytes": work.uploaded_bytes,
        **_block_facts(work.blocks),
    }


def _block_facts(blocks: Blocks | None) -> dict[str, int]:
    """How much of the inference an earlier attempt had done, where it runs in blocks."""
    return {} if blocks is None else {"blocks": blocks.total, "resumed_blocks": blocks.restored}


def file_digests(path: Path) -> tuple[str, str, int]:
    """(SHA-256 hex, MD5 hex, length in bytes)."""
    sha256, md5, length = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
            length += len(chunk)
    return sha256.hexdigest(), md5.hexdigest(), length
