"""What the ledger's lines come to, for the controller: delays, outcomes of late, times. No network, no clock.

Lines of different workers come in no order, and times are the workers' own: everything here is a count over
minutes, which bears that.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contract import ledger_events
from contract.ledger_events import Event
from contract.outcomes import Cause
from fleetctl.controller.snapshot import Attempts

KEPT_SECONDS = 3600.0
"""How far back outcomes are remembered."""
KEPT_TILES = 200
"""Newest tiles that medians are made of."""
JUDGED = frozenset({Cause.SOURCE.value, Cause.TILE.value, Cause.WORKER.value, Cause.SILENT_DEATH.value})
"""Attempts that got as far as to tell something; one that was handed back or evicted did not."""
SOURCE = Cause.SOURCE.value
DONE = "done"


@dataclass
class Fold:
    """The newest hour, and what is delayed."""

    delayed_until: dict[str, float] = field(default_factory=dict)
    """Epoch seconds by `<dataset> <tile> <generation>`."""
    outcomes: deque[tuple[float, str]] = field(default_factory=deque)
    """(epoch seconds, cause or `done`) of ended attempts, in the order of reading."""
    stage_seconds: dict[str, deque[float]] = field(default_factory=dict)
    tile_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TILES))
    sent_bytes: dict[tuple[str, str], int] = field(default_factory=dict)
    """Results and checkpoints since this fold began, by the front of the machine's name (fleet and pool) and job."""

    def take(self, event: Event) -> None:
        """Add one line. Lines that say nothing that is counted here pass."""
        name = event["name"]
        if name == ledger_events.DONE:
            self._done(event)
        elif name == ledger_events.RETURNED:
            self._returned(event)
        elif name == ledger_events.CHECKPOINT_SAVED:
            self._sent(event, event.get("bytes"))
        elif name == ledger_events.TILE_RECEIVED:
            self.delayed_until.pop(_key(event), None)

    def forget_before(self, now: float) -> None:
        """Drop what is over: delays that ended, outcomes of more than an hour ago, or as far ahead."""
        self.delayed_until = {key: until for key, until in self.delayed_until.items() if until > now}
        # Some clocks are wrong: one outcome of tomorrow must not keep all that were read after it.
        self.outcomes = deque((at, cause) for at, cause in self.outcomes if abs(now - at) <= KEPT_SECONDS)

    def delayed(self, now: float) -> int:
        return sum(until > now for until in self.delayed_until.values())

    def attempts(self, now: float, window_seconds: float) -> Attempts:
        """Those that ended within the window."""
        causes = [cause for at, cause in self.outcomes if now - window_seconds < at]
        return Attempts(ended=len(causes), failed_at_source=causes.count(SOURCE))

    def tiles_done(self, now: float, window_seconds: float) -> int:
        return sum(cause == DONE for at, cause in self.outcomes if now - window_seconds < at)

    def median_tile_seconds(self) -> float | None:
        """Of one tile, all its stages together; None before the first."""
        return statistics.median(self.tile_seconds) if self.tile_seconds else None

    def median_stage_seconds(self) -> dict[str, float]:
        return {stage: statistics.median(seconds) for stage, seconds in self.stage_seconds.items()}

    def _done(self, event: Event) -> None:
        self.delayed_until.pop(_key(event), None)
        self._end(event, DONE)
        self._sent(event, event.get("uploaded_bytes"))
        seconds = event.get("seconds")
        if not isinstance(seconds, dict):
            return
        times = {str(stage): float(took) for stage, took in seconds.items() if isinstance(took, int | float)}
        for stage, took in times.items():
            self.stage_seconds.setdefault(stage, deque(maxlen=KEPT_TILES)).append(took)
        if times and event.get("outcome") == DONE:
            self.tile_seconds.append(sum(times.values()))

    def _returned(self, event: Event) -> None:
        until = _epoch(event.get("not_before"))
        if until is not None:
            self.delayed_until[_key(event)] = until
        cause = str(event.get("cause", ""))
        if cause in JUDGED:
            self._end(event, cause)

    def _sent(self, event: Event, length: Any) -> None:
        machines, job = str(event.get("vm", "")).rpartition("-")[0], event.get("job")
        if machines and isinstance(job, str) and type(length) is int and length > 0:
            self.sent_bytes[machines, job] = self.sent_bytes.get((machines, job), 0) + length

    def _end(self, event: Event, cause: str) -> None:
        at = _epoch(event["time"])
        if at is not None:
            self.outcomes.append((at, cause))


def _key(event: Event) -> str:
    return f"{event.get('dataset')} {event.get('tile')} {event.get('generation', 1)}"


def _epoch(text: Any) -> float | None:
    """Epoch seconds of an ISO 8601 time; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
