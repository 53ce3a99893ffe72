"""A tile's attempts, put together from the ledger's lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contract import ledger_events
from contract.artifact_names import LEDGER_PREFIX
from contract.blob_store import BlobStore
from contract.ledger import LedgerReader, without_repeats
from contract.ledger_events import Event

CLOCK_MARGIN = timedelta(hours=1)
"""How far the clock that dated a job may be ahead of the store's."""
ENDS = frozenset(
    {ledger_events.DONE, ledger_events.RETURNED, ledger_events.POISONED, ledger_events.CANCELLED}
)


@dataclass(slots=True)
class Attempt:
    """One worker's try, as far as its ledger tells."""

    id: str
    """Empty: the line named none."""
    dataset: str = ""
    worker: str = ""
    generation: int = 0
    began: str = ""
    """UTC, ISO 8601, as every time here."""
    delivery_count: int = 0
    stage_seconds: dict[str, float] = field(default_factory=dict)
    checkpoints: int = 0
    end: str = ""
    """The name of the line that ended it; empty: still at it, or it died without a word."""
    ended: str = ""
    cause: str = ""
    reason: str = ""
    not_before: str = ""
    """When its message was to be visible again."""

    @property
    def time(self) -> str:
        """Of its first line that we know."""
        return self.began or self.ended


def read_tile_events(
    store: BlobStore, tile: str, since: datetime, on_bytes: Callable[[int, int], None]
) -> Iterator[Event]:
    """The ledger's lines about a tile. Blobs that were last written before `since` are passed over.

    `on_bytes` is told how many of how many bytes were read.
    """
    reader = LedgerReader(store)
    blobs = list(store.listing(LEDGER_PREFIX))
    positions = {blob.name: blob.length for blob in blobs if blob.modified < since - CLOCK_MARGIN}
    passed = sum(positions.values())
    total = sum(blob.length for blob in blobs) - passed
    seen: set[str] = set()
    while True:
        events, positions = reader.read_new(positions)
        on_bytes(sum(positions.values()) - passed, total)
        if not events:
            return
        yield from without_repeats((event for event in events if event.get("tile") == tile), seen)


def fold_attempts(events: Iterable[Event]) -> tuple[Attempt, ...]:
    """Each attempt once, the oldest first; a line that names none stands for itself."""
    attempts: dict[str, Attempt] = {}
    for event in sorted(events, key=lambda event: str(event["time"])):
        attempt_id = str(event.get("attempt", ""))
        key = attempt_id or str(event["id"])
        _add(attempts.setdefault(key, Attempt(attempt_id)), event)
    return tuple(sorted(attempts.values(), key=lambda attempt: attempt.time))


def _add(attempt: Attempt, event: Event) -> None:
    name, time = str(event["name"]), str(event["time"])
    attempt.dataset = str(event.get("dataset", attempt.dataset))
    attempt.worker = str(event.get("worker", attempt.worker))
    attempt.generation = _whole(event.get("generation"), attempt.generation)
    attempt.began = attempt.began or time
    if name == ledger_events.TILE_RECEIVED:
        attempt.delivery_count = _whole(event.get("delivery_count"), 0)
    elif name == ledger_events.STAGE_ENDED:
        attempt.stage_seconds[str(event.get("stage", ""))] = _seconds(event.get("seconds"))
    elif name == ledger_events.CHECKPOINT_SAVED:
        attempt.checkpoints += 1
    elif name in ENDS:
        attempt.end, attempt.ended = name, time
        attempt.cause, attempt.reason = str(event.get("cause", "")), str(event.get("reason", ""))
        attempt.not_before = str(event.get("not_before", ""))
        seconds = event.get("seconds")
        if isinstance(seconds, Mapping):
            attempt.stage_seconds |= {str(stage): _seconds(value) for stage, value in seconds.items()}


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
