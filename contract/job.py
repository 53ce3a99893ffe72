"""A job: tiles asked of one dataset, stored whole and unchangeable, beside a state that may change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contract.errors import BadInput
from contract.json_text import parse_object, short_digest, to_bytes
from contract.recipe import ParameterValue
from contract.tile_id import TileId, parse_tile

VERSION = 1
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{2,60}")


class JobState(StrEnum):
    """What may happen to a job's tiles now."""

    CANARY = "canary"
    """Only the first few are asked; the rest waits for approval."""
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked. Its id follows from it, so that asking again is the same job."""

    name: str
    """Readable: `isle-of-man-2024`."""
    dataset: str
    asked_count: int
    asked_sha256: str
    """Of the asked list's bytes."""
    asked_text: str
    """The regions as they were typed."""
    is_urgent: bool
    canary_count: int
    """How many tiles, from the front of the list, go first; 0: no canary."""
    recipe: str
    settings: Mapping[str, ParameterValue]
    """All parameters of the recipe, also those that do not change the result."""
    campaign: str
    """Groups the jobs of several years or regions that were asked together; often the id itself."""
    created: str
    """UTC, ISO 8601; not part of the id."""
    second_attempts: int = 0
    """How often idle workers may try a tile that its holder is slow with. Not part of the id; 0 in older records."""

    @property
    def id(self) -> str:
        asked = [
            self.name,
            self.dataset,
            self.asked_count,
            self.asked_sha256,
            self.is_urgent,
            self.canary_count,
        ]
        return f"{self.name}-{short_digest(asked)}"

    def encode(self) -> bytes:
        return to_bytes(
            {
                "v": VERSION,
                "id": self.id,
                "name": self.name,
                "dataset": self.dataset,
                "asked_count": self.asked_count,
                "asked_sha256": self.asked_sha256,
                "asked_text": self.asked_text,
                "is_urgent": self.is_urgent,
                "canary_count": self.canary_count,
                "recipe": self.recipe,
                "settings": dict(self.settings),
                "campaign": self.campaign,
                "created": self.created,
                **({"second_attempts": self.second_attempts} if self.second_attempts else {}),
            }
        )


def decode_job(data: bytes) -> Job:
    """The record in `data`; BadInput when it is not one."""
    record = parse_object(data, "the job record")
    if record.get("v") != VERSION:
        raise BadInput(f"the job record has version {record.get('v')!r}, this program knows {VERSION}")
    try:
        record.setdefault("second_attempts", 0)
        job = Job(**{name: record[name] for name in Job.__dataclass_fields__})
    except (KeyError, TypeError) as error:
        raise BadInput(f"the job record lacks {error}") from error
    if record.get("id") != job.id:
        raise BadInput(f"the job record of {record.get('id')!r} was changed: what it asks makes {job.id}")
    return job


def encode_asked(tiles: Iterable[TileId]) -> bytes:
    """One name per line."""
    return "".join(f"{tile.name}\n" for tile in tiles).encode("ascii")


def decode_asked(data: bytes) -> Iterator[TileId]:
    """The tiles of an asked list, in its order."""
    for line in data.decode("ascii").splitlines():
        yield parse_tile(line)


def asked_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The part of a job that changes, in a blob of its own, written under its ETag."""

    state: JobState
    reason: str
    """Why it is in this state, for a person."""
    changed: str
    """UTC, ISO 8601."""

    def encode(self) -> bytes:
        return to_bytes(
            {"v": VERSION, "state": self.state.value, "reason": self.reason, "changed": self.changed}
        )


def decode_job_status(data: bytes) -> JobStatus:
    """The state in `data`; BadInput when it is not one."""
    record: dict[str, Any] = parse_object(data, "the job's state")
    try:
        return JobStatus(JobState(record["state"]), str(record["reason"]), str(record["changed"]))
    except (KeyError, ValueError) as error:
        raise BadInput(f"the job's state record is not readable: {error}") from error
