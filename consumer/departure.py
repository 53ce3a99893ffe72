"""Why and by when a worker goes: the one value that every source of a reason makes, and which of two counts. Pure.

Deadlines are this machine's `time.monotonic()`, which all its processes share and no clock jump moves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from contract.errors import BadInput
from contract.json_text import parse_object, to_bytes

HALT_FILE_REASON = "halt file"
DRAIN_REASON = "drain"


@dataclass(frozen=True, slots=True)
class Departure:
    """Why and by when the worker goes."""

    reason: str
    deadline: float | None
    """time.monotonic(); None: a drain, which finishes what it has."""
    is_eviction: bool


def soonest(departures: Iterable[Departure | None]) -> Departure | None:
    """The one to obey: an eviction before everything else, then the nearest deadline, then the first told."""
    return min((d for d in departures if d is not None), key=_urgency, default=None)


def _urgency(departure: Departure) -> tuple[bool, float]:
    return not departure.is_eviction, math.inf if departure.deadline is None else departure.deadline


def encode_departure(departure: Departure) -> bytes:
    """As a halt file's content, which tells it to another process of this machine."""
    if departure.deadline is None:
        return to_bytes({"drain": True, "reason": departure.reason})
    return to_bytes(
        {
            "reason": departure.reason,
            "monotonic_deadline": departure.deadline,
            "eviction": departure.is_eviction,
        }
    )


def decode_departure(data: bytes, grace_ends: float) -> Departure:
    """What a halt file asks for. Its appearance alone means an eviction, with a deadline of one's own
    (`grace_ends`), and so does whatever cannot be read: a person who wants us gone is to be believed."""
    try:
        told = parse_object(data, "the halt file")
    except BadInput:
        return Departure(HALT_FILE_REASON, grace_ends, is_eviction=True)
    reason = told.get("reason")
    if told.get("drain") is True:
        return Departure(_text(reason, DRAIN_REASON), None, is_eviction=False)
    return Departure(
        _text(reason, HALT_FILE_REASON),
        _moment(told.get("monotonic_deadline"), grace_ends),
        is_eviction=told.get("eviction") is not False,
    )


def _moment(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    try:
        return float(value) if math.isfinite(value) else default
    except OverflowError:  # more digits than any moment has
        return default


def _text(value: object, default: str) -> str:
    return value[:300] if isinstance(value, str) and value else default
