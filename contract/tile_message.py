"""The message that asks for one tile of one job: small, ASCII JSON, strict about what it accepts.

Every attempt is in the ledger; the message carries only what the next worker needs to judge it:
totals of tries by cause, how often it was returned, the last few attempts, a checkpoint hint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contract.dataset import NAME_PATTERN as DATASET_PATTERN
from contract.errors import BadInput
from contract.job import ID_PATTERN as JOB_PATTERN
from contract.json_text import parse_object, to_text
from contract.outcomes import Cause
from contract.tile_id import TileId, parse_tile

VERSION = 1
MAX_CHARACTERS = 2048
KEPT_ATTEMPTS = 4
MAX_GENERATION = 9999
MAX_COUNT = 100_000
_WORD = re.compile(r"[A-Za-z0-9._:/-]{0,120}")


class NotOurs(BadInput):
    """A message that this program cannot have sent, or of a version that it does not know."""


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """One earlier attempt, as short as it can be."""

    attempt: str
    worker: str
    cause: Cause
    reason: str
    """A fingerprint of the error: two equal ones are the same fault."""


@dataclass(frozen=True, slots=True)
class TileMessage:
    """One tile of one job."""

    job: str
    dataset: str
    tile: TileId
    generation: int = 1
    tries: Mapping[Cause, int] = field(default_factory=dict)
    """How many attempts ended so, by cause."""
    returns: int = 0
    """How many deliveries of this message ended with a return that we reported (see silent deaths)."""
    solo_deaths: int = 0
    """Silent deaths while the tile ran alone."""
    past: tuple[PastAttempt, ...] = ()
    """The newest last, at most KEPT_ATTEMPTS."""
    checkpoint: str = ""
    """Name of a checkpoint blob that may help; only a hint."""

    def encode(self) -> str:
        """The wire text, always shorter than MAX_CHARACTERS."""
        record: dict[str, Any] = {
            "v": VERSION,
            "job": self.job,
            "dataset": self.dataset,
            "generation": self.generation,
            "tile": self.tile.name,
        }
        if self.tries:
            record["tries"] = {cause.value: count for cause, count in self.tries.items()}
        if self.returns:
            record["returns"] = self.returns
        if self.solo_deaths:
            record["solo_deaths"] = self.solo_deaths
        if self.past:
            record["past"] = [[p.attempt, p.worker, p.cause.value, p.reason] for p in self.past]
        if self.checkpoint:
            record["checkpoint"] = self.checkpoint
        return to_text(record)

    def after(self, attempt: PastAttempt) -> TileMessage:
        """This message with one more attempt in its totals and its short history."""
        tries = {**self.tries, attempt.cause: self.tries.get(attempt.cause, 0) + 1}
        return replace(self, tries=tries, past=(*self.past, attempt)[-KEPT_ATTEMPTS:])


def decode_message(text: str) -> TileMessage:
    """The message in `text`; NotOurs, with the reason, for anything else."""
    if len(text) >= MAX_CHARACTERS:
        raise NotOurs(f"it has {len(text)} characters, ours have fewer than {MAX_CHARACTERS}")
    try:
        record = parse_object(text, "the message")
        if record.get("v") != VERSION:
            raise NotOurs(
                f"it has version {record.get('v')!r}, this worker knows {VERSION}: upgrade consumers first"
            )
        return _from_record(record)
    except NotOurs:
        raise
    except (BadInput, KeyError, TypeError, ValueError) as error:
        raise NotOurs(f"it is not a tile message: {str(error)[:200]}") from error


def _from_record(record: dict[str, Any]) -> TileMessage:
    known = {
        "v",
        "job",
        "dataset",
        "generation",
        "tile",
        "tries",
        "returns",
        "solo_deaths",
        "past",
        "checkpoint",
    }
    if unknown := record.keys() - known:
        raise NotOurs(f"it has unknown fields {', '.join(sorted(unknown))[:100]}")
    return TileMessage(
        job=_matching(record["job"], JOB_PATTERN, "job"),
        dataset=_matching(record["dataset"], DATASET_PATTERN, "dataset"),
        generation=_count(record["generation"], "generation", low=1, high=MAX_GENERATION),
        tile=parse_tile(_text(record["tile"], "tile")),
        tries={Cause(cause): _count(n, "tries") for cause, n in dict(record.get("tries", {})).items()},
        returns=_count(record.get("returns", 0), "returns"),
        solo_deaths=_count(record.get("solo_deaths", 0), "solo_deaths"),
        past=tuple(_past(entry) for entry in list(record.get("past", []))[-KEPT_ATTEMPTS:]),
        checkpoint=_matching(record.get("checkpoint", ""), _WORD, "checkpoint"),
    )


def _past(entry: Any) -> PastAttempt:
    attempt, worker, cause, reason = entry
    return PastAttempt(
        attempt=_matching(attempt, _WORD, "attempt"),
        worker=_matching(worker, _WORD, "worker"),
        cause=Cause(cause),
        reason=_matching(reason, _WORD, "reason"),
    )


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise NotOurs(f"its {name} is not text")
    return value


def _matching(value: Any, pattern: re.Pattern[str], name: str) -> str:
    if not pattern.fullmatch(_text(value, name)):
        raise NotOurs(f"its {name} is {value[:60]!r}")
    return str(value)


def _count(value: Any, name: str, low: int = 0, high: int = MAX_COUNT) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise NotOurs(f"its {name} is {str(value)[:60]!r}")
    return value
