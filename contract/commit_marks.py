"""The metadata of commits and artifacts, from which a listing alone tells whether a dataset is whole.

A commit says how many artifacts it has and what their fingerprints add up to; an artifact says whose it is, and
server-side copies keep that. So one pass over a dataset's names checks every tile, and no record is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contract.commit_record import CommitRecord
from contract.outcomes import Outcome
from contract.tile_id import TileId

PUBLISHED = "published"
"""Of a commit whose artifacts are all under the dataset's names: when, in UTC."""
OUTCOME = "outcome"
"""Of a commit: what the tile came to."""
ARTIFACTS = "artifacts"
"""Of a commit: how many it has."""
CHECKSUM = "checksum"
"""Of a commit: the sum of its artifacts' fingerprints, 16 hex digits."""
TILE = "tile"
"""Of an artifact: the path name of its tile."""
GENERATION = "generation"
"""Of an artifact: the generation that it was made for."""

FINGERPRINT_BITS = 64
FINGERPRINT_MASK = 2**FINGERPRINT_BITS - 1


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a set of artifacts adds up to, in any order."""

    count: int
    total: int
    """Sum of their fingerprints modulo 2^64: a sum and not an exclusive-or, which two equal ones would leave."""


@dataclass(frozen=True, slots=True)
class CommitMarks:
    """What a commit's metadata says."""

    outcome: Outcome | None
    """None where the record's writer did not mark it."""
    is_published: bool
    checksum: Checksum | None
    """None where the record's writer did not mark it: its artifacts must be looked up."""


def fingerprint(name: str, length: int, md5_hex: str) -> int:
    """64 bits of one artifact: its name below the dataset's root, its bytes, its MD5."""
    digest = hashlib.blake2b(f"{name} {length} {md5_hex}".encode(), digest_size=FINGERPRINT_BITS // 8)
    return int.from_bytes(digest.digest())


def checksum(fingerprints: Iterable[int]) -> Checksum:
    """What they add up to."""
    count = total = 0
    for value in fingerprints:
        count += 1
        total += value
    return Checksum(count, total & FINGERPRINT_MASK)


def marks_of_commit(record: CommitRecord) -> dict[str, str]:
    """The metadata that a commit is created with."""
    whole = checksum(fingerprint(a.name, a.length, a.md5) for a in record.artifacts)
    return {
        OUTCOME: record.outcome.value,
        ARTIFACTS: str(whole.count),
        CHECKSUM: f"{whole.total:016x}",
    }


def marks_of_artifact(tile: TileId, generation: int) -> dict[str, str]:
    """The metadata that an artifact is uploaded with."""
    return {TILE: tile.path_name, GENERATION: str(generation)}


def read_commit_marks(metadata: Mapping[str, str]) -> CommitMarks:
    """A commit's marks; what is missing, or nothing that we would write, is None."""
    outcome = metadata.get(OUTCOME)
    return CommitMarks(
        outcome=Outcome(outcome) if outcome in set(Outcome) else None,
        is_published=bool(metadata.get(PUBLISHED)),
        checksum=_checksum(metadata.get(ARTIFACTS, ""), metadata.get(CHECKSUM, "")),
    )


def _checksum(count: str, total: str) -> Checksum | None:
    try:
        return Checksum(int(count), int(total, 16))
    except ValueError:
        return None
