"""The message that asks for one tile of one job: small, ASCII JSON, strict about what it accepts.

Every attempt is in the ledger; the message carries only what the next worker needs to judge it:
totals of tries by cause, how many deliveries are accounted for, the last few attempts, who began and has
not reported yet, a checkpoint hint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
MAX_HARMED = 3
MAX_HINT_CHARACTERS = 240
_WORD = re.compile(r"[A-Za-z0-9._:/-]{0,120}")
_CHECKPOINT = re.compile(rf"[A-Za-z0-9._:/-]{{0,{MAX_HINT_CHARACTERS}}}")
_BLOCKS = re.compile(r"(?:.*/)?(\d{1,9})")


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
class Begun:
    """The attempt that began to prepare or infer the tile. Every end that is reported takes this back, so a
    message that is delivered with it tells of an attempt that ended in silence."""

    attempt: str
    worker: str
    vm: str
    boot_id: str
    """With `vm`: where to ask whether an eviction explains the silence. Empty when it had no fitting name."""
    is_solo: bool
    """The tile ran alone: nothing else can have killed the worker."""


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
    """How many deliveries of this message, in this queue, are accounted for in the totals above and below."""
    fruitless: int = 0
    """Attempts since there was last a newer checkpoint, of every cause that is not a mere delay."""
    solo_deaths: int = 0
    """Silent deaths while the tile ran alone."""
    harmed: tuple[str, ...] = ()
    """Workers that became unfit with this tile, each once, at most MAX_HARMED."""
    past: tuple[PastAttempt, ...] = ()
    """The newest last, at most KEPT_ATTEMPTS."""
    begun: Begun | None = None
    checkpoint: str = ""
    """Name of the checkpoint blob with the most blocks that anybody told of; only a hint."""

    def encode(self) -> str:
        """The wire text, always shorter than MAX_CHARACTERS: the oldest attempts of the history make room."""
        for past in (self.past[first:] for first in range(len(self.past))):
            text = to_text(self._record(past))
            if len(text) < MAX_CHARACTERS:
                return text
        return to_text(self._record(()))

    def _record(self, past: Sequence[PastAttempt]) -> dict[str, Any]:
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
        if self.fruitless:
            record["fruitless"] = self.fruitless
        if self.solo_deaths:
            record["solo_deaths"] = self.solo_deaths
        if self.harmed:
            record["harmed"] = list(self.harmed)
        if past:
            record["past"] = [[p.attempt, p.worker, p.cause.value, p.reason] for p in past]
        if self.begun is not None:
            b = self.begun
            record["begun"] = [b.attempt, b.worker, b.vm, b.boot_id, b.is_solo]
        if self.checkpoint:
            record["checkpoint"] = self.checkpoint
        return record

    def after(self, attempt: PastAttempt) -> TileMessage:
        """This message with one more attempt in its totals and its short history."""
        tries = {**self.tries, attempt.cause: self.tries.get(attempt.cause, 0) + 1}
        return replace(self, tries=tries, past=(*self.past, attempt)[-KEPT_ATTEMPTS:])

    def reached(self, checkpoint: str) -> TileMessage:
        """This message with a hint at `checkpoint`, if that has more blocks than the one it knows: then the
        tile made progress, and what was fruitless before counts no more. The blocks of a tile are finite, so
        no tile makes progress for ever. A name that no message could carry is no hint."""
        if not _CHECKPOINT.fullmatch(checkpoint):
            return self
        if checkpoint_blocks(checkpoint) <= checkpoint_blocks(self.checkpoint):
            return self
        return replace(self, checkpoint=checkpoint, fruitless=0)


def checkpoint_blocks(name: str) -> int:
    """How many blocks the checkpoint of that name has; 0 for no name and for one that is none."""
    match = _BLOCKS.fullmatch(name)
    return int(match.group(1)) if match else 0


def fitting_word(text: str) -> str:
    """`text` where a message takes it as a word, else nothing: no name may make a message unreadable."""
    return text if _WORD.fullmatch(text) else ""


def decode_message(text: str) -> TileMessage:
    """The message in `text`; NotOurs, with the reason, for anything else."""
    if len(text) >= MAX_CHARACTERS:
        raise NotOurs(f"it has {len(text)} characters, ours have fewer than {MAX_CHARACTERS}")
    try:
        record = parse_object(text, "the message")
        if type(record.get("v")) is not int or record["v"] != VERSION:
            raise NotOurs(
                f"it has version {record.get('v')!r:.60}, this worker knows {VERSION}: upgrade consumers first"
            )
        return _from_record(record)
    except NotOurs:
        raise
    except (BadInput, KeyError, TypeError, ValueError) as error:
        raise NotOurs(f"it is not a tile message: {str(error)[:200]}") from error


KNOWN = frozenset(
    {
        *("v", "job", "dataset", "generation", "tile"),
        *("tries", "returns", "fruitless", "solo_deaths", "harmed", "past", "begun", "checkpoint"),
    }
)


def _from_record(record: dict[str, Any]) -> TileMessage:
    if unknown := record.keys() - KNOWN:
        raise NotOurs(f"it has unknown fields {ascii(sorted(unknown))[:100]}")
    return TileMessage(
        job=_matching(record["job"], JOB_PATTERN, "job"),
        dataset=_matching(record["dataset"], DATASET_PATTERN, "dataset"),
        generation=_count(record["generation"], "generation", low=1, high=MAX_GENERATION),
        tile=parse_tile(_text(record["tile"], "tile")),
        tries={Cause(cause): _count(n, "tries") for cause, n in _object(record.get("tries", {})).items()},
        returns=_count(record.get("returns", 0), "returns"),
        fruitless=_count(record.get("fruitless", 0), "fruitless"),
        solo_deaths=_count(record.get("solo_deaths", 0), "solo_deaths"),
        harmed=tuple(
            _matching(name, _WORD, "harmed worker")
            for name in _list(record.get("harmed", []), "harmed workers", MAX_HARMED)
        ),
        past=tuple(_past(entry) for entry in _list(record.get("past", []), "past", KEPT_ATTEMPTS)),
        begun=_begun(record["begun"]) if "begun" in record else None,
        checkpoint=_matching(record.get("checkpoint", ""), _CHECKPOINT, "checkpoint"),
    )


def _begun(entry: Any) -> Begun:
    attempt, worker, vm, boot_id, is_solo = _list(entry, "begun", 5)
    if not isinstance(is_solo, bool):
        raise NotOurs("its begun attempt is neither solo nor not")
    return Begun(
        attempt=_matching(attempt, _WORD, "begun attempt"),
        worker=_matching(worker, _WORD, "begun attempt's worker"),
        vm=_matching(vm, _WORD, "begun attempt's machine"),
        boot_id=_matching(boot_id, _WORD, "begun attempt's boot"),
        is_solo=is_solo,
    )


def _past(entry: Any) -> PastAttempt:
    attempt, worker, cause, reason = _list(entry, "past attempt", 4)
    return PastAttempt(
        attempt=_matching(attempt, _WORD, "attempt"),
        worker=_matching(worker, _WORD, "worker"),
        cause=Cause(cause),
        reason=_matching(reason, _WORD, "reason"),
    )


def _list(value: Any, name: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise NotOurs(f"its {name} is no list of at most {most}")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotOurs("its tries are not counted by cause")
    return value


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
