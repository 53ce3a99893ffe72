"""What a drill cost, from the ledger and the relay's counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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


def cost_of(stage: Stage, asked: Asked) -> Cost:
    """Of the drill's job, after all workers have left. Requests are those of the whole drill."""
    events = _of_job(stage.events(), asked.job.id)
    tries = Counter(event["tile"] for event in events if event["name"] in _BEGINNINGS)
    broken_off = sum(seconds for tile, seconds in stage.broken_off if tries[tile] > 1)
    done = [event for event in events if event["name"] == ledger_events.DONE]
    saved = sum(_resumed_share(event) for event in done) * asked.infer_seconds
    return Cost(
        tiles=len(asked.tiles),
        attempts=tries.total(),
        redone_seconds=max(0.0, _inferred_in_vain(events) + broken_off - saved),
        requests_per_tile=stage.relay.count() / len(asked.tiles),
        remarks=tuple(stage.remarks),
    )


def _of_job(events: Sequence[Event], job: str) -> list[Event]:
    """The job's lines, and those of the stages of its attempts, which do not name it."""
    attempts = {event["attempt"] for event in events if event.get("job") == job and "attempt" in event}
    return [event for event in events if event.get("job") == job or event.get("attempt") in attempts]


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
