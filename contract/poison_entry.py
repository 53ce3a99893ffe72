"""What was given up, as a worker wrote it down: read by whoever lists, explains, replays or drops it.

An entry lies under a name made of dataset and tile, or of a foreign message's digest, and is created once. As
long as it is there, its tile is explained; the message in the poison queue only points to it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract import artifact_names
from contract.dataset import NAME_PATTERN as DATASET_PATTERN
from contract.errors import BadInput
from contract.json_text import parse_object, to_bytes
from contract.tile_id import TileId, parse_tile

MAX_ENTRY_BYTES = 1024 * 1024
FOREIGN = "foreign"
_FOREIGN_NAME = re.compile(r"poison/foreign/[0-9a-f]{64}")
_NAME_OF_TILE = re.compile(rf"poison/{DATASET_PATTERN.pattern}/[a-z0-9._-]{{5,30}}")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A person's word that the tile stays given up."""

    reason: str
    when: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class PoisonEntry:
    """One entry. Its texts come from outside: show them only where a terminal cannot be harmed."""

    blob_name: str
    tile: TileId | None
    """None: a foreign message."""
    dataset: str
    job: str
    """The one whose message was given up; empty for a foreign message, as `dataset` is."""
    generation: int
    cause: str
    reason: str
    attempts: tuple[tuple[str, ...], ...]
    """The last few: attempt, worker, cause, fingerprint of the error."""
    tries: Mapping[str, int]
    log_lines: tuple[str, ...]
    raw: bytes
    """The message as it was received."""
    queue: str
    """Where it was received from."""
    delivery_count: int
    time: str
    """UTC, ISO 8601, by the worker's clock."""
    dropped: Dropped | None

    @property
    def is_foreign(self) -> bool:
        return self.tile is None

    @property
    def workers(self) -> tuple[str, ...]:
        """Those of the last few attempts, each once."""
        return tuple(dict.fromkeys(attempt[1] for attempt in self.attempts))


def is_entry_name(name: str) -> bool:
    """Whether a worker of ours can have given that name to an entry."""
    return any(pattern.fullmatch(name) for pattern in (_FOREIGN_NAME, _NAME_OF_TILE))


def decode_entry(blob_name: str, data: bytes) -> PoisonEntry:
    """The entry in `data`; BadInput when it is not one of that name."""
    record = parse_object(data, blob_name)
    try:
        tile = None if _FOREIGN_NAME.fullmatch(blob_name) else parse_tile(str(record["tile"]))
        dataset = str(record.get("dataset", ""))
        entry = PoisonEntry(
            blob_name=blob_name,
            tile=tile,
            dataset=dataset,
            job=str(record.get("job", "")),
            generation=int(record.get("generation", 0)),
            cause=str(record["cause"]),
            reason=str(record["reason"]),
            attempts=tuple(_attempt(fields) for fields in record.get("attempts", ())),
            tries={str(cause): int(count) for cause, count in dict(record.get("tries", {})).items()},
            log_lines=tuple(str(line) for line in record.get("log_lines", ())),
            raw=base64.b64decode(record["raw_base64"], validate=True),
            queue=str(record["queue"]),
            delivery_count=int(record["delivery_count"]),
            time=str(record["time"]),
            dropped=_dropped(record.get("dropped")),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadInput(f"{blob_name} lacks or misstates {str(error)[:120]}") from error
    if tile is not None and artifact_names.poison(dataset, tile) != blob_name:
        raise BadInput(f"{blob_name} holds the entry of {tile} of {dataset[:80]!r}")
    return entry


def with_drop(data: bytes, dropped: Dropped) -> bytes:
    """The entry in `data`, marked as dropped."""
    record = parse_object(data, "the poison entry")
    return to_bytes({**record, "dropped": {"reason": dropped.reason, "when": dropped.when}})


def _attempt(fields: Any) -> tuple[str, ...]:
    attempt, worker, cause, fingerprint = fields
    return str(attempt), str(worker), str(cause), str(fingerprint)


def _dropped(record: Any) -> Dropped | None:
    return None if record is None else Dropped(str(record["reason"]), str(record["when"]))
