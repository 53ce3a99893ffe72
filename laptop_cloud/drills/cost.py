"""What a drill cost, from the ledger and the relay's counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contract import ledger_events
from contract.ledger_events import Event
from laptop_cloud.drills.stage import Asked, Stage

_BEGINNINGS = (ledger_events.TILE_RECEIVED, ledger_events.SECOND_ATTEMPT)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one drill that ended well. None: it has no real workers to ask."""

    tiles: int
    attempts: int | None
    """Messages received as work, and second attempts."""
    redone_seconds: float | None
    """Inference whose result nobody uses: finished in vain, or cut short and not saved."""
    requests_per_tile: float | None
    """Of all kinds, by everybody: heartbeats and empty polls, too."""
    remarks: tuple[str, ...]
    """Figures of this drill alone."""


def cost_of(stage: Stage, jobs: Iterable[Asked]) -> Cost:
    """After all workers have left."""
    asked = {one.job.id: one for one in jobs}
    tiles = sum(len(one.tiles) for one in asked.values())
    events = stage.events()
    begun = [event for event in events if event["name"] in _BEGINNINGS]
    tries = Counter(event["tile"] for event in begun)
    broken_off = sum(seconds for tile, seconds in stage.broken_off if tries[tile] > 1)
    saved = sum(_resumed_share(event) * asked[event["job"]].infer_seconds for event in _done(events, asked))
    return Cost(
        tiles=tiles,
        attempts=len(begun),
        redone_seconds=max(0.0, _inferred_in_vain(events) + broken_off - saved),
        requests_per_tile=stage.relay.count() / tiles,
        remarks=tuple(stage.remarks),
    )


def _done(events: Iterable[Event], jobs: Iterable[str]) -> list[Event]:
    return [event for event in events if event["name"] == ledger_events.DONE and event["job"] in jobs]


def _inferred_in_vain(events: Sequence[Event]) -> float:
    """Whole inferences of attempts that are not their tile's result."""
    won = {event["attempt"] for event in events if event["name"] == ledger_events.DONE}
    return sum(
        float(event["seconds"])
        for event in events
        if event["name"] == ledger_events.STAGE_ENDED
        and event["stage"] == "infer"
        and event["attempt"] not in won
    )


def _resumed_share(event: Event) -> float:
    return float(event["resumed_blocks"]) / float(event["blocks"]) if event.get("blocks") else 0.0
