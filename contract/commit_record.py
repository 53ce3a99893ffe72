"""The commit record: which attempt's artifacts are a tile's result, in one generation. Codec only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from contract import artifact_names
from contract.dataset import NAME_PATTERN as DATASET_PATTERN
from contract.errors import BadInput
from contract.json_text import parse_object, to_bytes
from contract.outcomes import Outcome
from contract.tile_id import TileId, parse_tile
from contract.tile_message import MAX_GENERATION

VERSION = 1
MAX_COMMIT_BYTES = 4 * 1024 * 1024
COMMITTED_OUTCOMES = (Outcome.DONE, Outcome.EMPTY)
_ATTEMPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class CommittedArtifact:
    """One file of the result, where it waits and what it must be."""

    name: str
    """Below the dataset's root, where it is published."""
    staging: str
    """The whole name of the blob that the attempt uploaded."""
    length: int
    """Bytes."""
    sha256: str
    """Hex."""
    md5: str
    """Hex; what the store can check without sending the bytes back."""


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """What is written once, and by being written makes the tile done."""

    dataset: str
    tile: TileId
    generation: int
    attempt: str
    outcome: Outcome
    artifacts: tuple[CommittedArtifact, ...]
    provenance: Mapping[str, Any]
    """The recipe's own account: scenes used and lost, digests, versions."""
    done: Mapping[str, Any]
    """All that the ledger's `done` line says, because that line may come late or never."""

    @property
    def blob_name(self) -> str:
        return artifact_names.commit(self.dataset, self.tile, self.generation)

    def encode(self) -> bytes:
        """The record's bytes; ValueError when they are more than a commit may have."""
        data = to_bytes(
            {
                "v": VERSION,
                "dataset": self.dataset,
                "tile": self.tile.name,
                "generation": self.generation,
                "attempt": self.attempt,
                "outcome": self.outcome.value,
                "artifacts": [asdict(artifact) for artifact in self.artifacts],
                "provenance": dict(self.provenance),
                "done": dict(self.done),
            }
        )
        if len(data) > MAX_COMMIT_BYTES:
            raise ValueError(
                f"the commit of {self.tile} has {len(data)} bytes, {MAX_COMMIT_BYTES} are allowed"
            )
        return data


def decode_commit(data: bytes) -> CommitRecord:
    """The record in `data`; BadInput when it is not one, or names blobs that are not its own attempt's."""
    record = parse_object(data, "the commit")
    if record.get("v") != VERSION:
        raise BadInput(f"the commit has version {record.get('v')!r}, this program knows {VERSION}")
    try:
        decoded = CommitRecord(
            dataset=_matching(record["dataset"], DATASET_PATTERN, "dataset"),
            tile=parse_tile(str(record["tile"])),
            generation=_count(record["generation"], "generation", low=1, high=MAX_GENERATION),
            attempt=_matching(record["attempt"], _ATTEMPT, "attempt"),
            outcome=Outcome(record["outcome"]),
            artifacts=tuple(_artifact(entry) for entry in record["artifacts"]),
            provenance=dict(record["provenance"]),
            done=dict(record["done"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"the commit lacks or misstates {str(error)[:120]}") from error
    _check_names(decoded)
    return decoded


def _artifact(entry: Mapping[str, Any]) -> CommittedArtifact:
    return CommittedArtifact(
        name=str(entry["name"]),
        staging=str(entry["staging"]),
        length=_count(entry["length"], "length"),
        sha256=_matching(entry["sha256"], _SHA256, "sha256"),
        md5=_matching(entry["md5"], _MD5, "md5"),
    )


def _check_names(record: CommitRecord) -> None:
    """A record cannot make us copy anything but its own attempt's uploads into its own dataset."""
    own = artifact_names.staging_prefix(record.dataset, record.tile, record.generation, record.attempt)
    for artifact in record.artifacts:
        artifact_names.published(record.dataset, artifact.name)
        if artifact.staging != own + artifact.name:
            raise BadInput(f"the commit names {artifact.staging[:120]!r}, which is not its own attempt's")
    if record.outcome not in COMMITTED_OUTCOMES:
        raise BadInput(f"the commit has the outcome {record.outcome.value!r}, which is never committed")


def _matching(value: Any, pattern: re.Pattern[str], name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadInput(f"the commit's {name} is {str(value)[:60]!r}")
    return value


def _count(value: Any, name: str, *, low: int = 0, high: int = 2**53) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadInput(f"the commit's {name} is {str(value)[:60]!r}")
    return value
