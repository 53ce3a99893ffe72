"""What happens to a tile next, in one sentence: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contract.job import JobState
from fleetctl.audit.tile_attempts import Attempt
from fleetctl.audit.tile_story import Asking, TileStory

STALE_SECONDS = 120.0
"""A heartbeat older than this is no sign of life."""


def next_step(story: TileStory, now: datetime) -> str:
    """The sentence. `now` decides whether a pause is over."""
    if story.standing.is_done:
        return _of_result(story)
    live = [asking for asking in story.askings if asking.state is not JobState.CANCELLED]
    if not live:
        return "nothing: every job that asked for it is cancelled"
    if story.is_given_up:
        return (
            f"nothing until `fleetctl poison replay {story.dataset}/{story.tile.path_name}` asks for it again"
        )
    sent = [asking for asking in live if asking.is_sent]
    return _of_held(story) or (_of_sent(story, sent, now) if sent else _of_unsent(live[0]))


def _of_held(story: TileStory) -> str:
    alive = [holder for holder in story.holders if holder.age_seconds < STALE_SECONDS]
    return " and ".join(f"{h.worker} is at it ({h.held.stage}, {h.held.progress:.0%})" for h in alive)


def _of_result(story: TileStory) -> str:
    newest = story.results[-1]
    if not newest.published_at and newest.record is not None:
        job = story.askings[0].job.id
        return f"whoever meets its message publishes it; `fleetctl verify {job} --repair` does so now"
    if newest.record is None or story.faults:
        job = story.askings[0].job.id
        return f"nothing by itself, and its result is damaged: `fleetctl verify {job} --repair` has it done again"
    return "nothing: it is done"


def _of_unsent(asking: Asking) -> str:
    job = asking.job
    if asking.state is JobState.CANARY and asking.position >= job.canary_count:
        return f"it follows when the canary is approved: `fleetctl job approve {job.id}`"
    if asking.state is JobState.PAUSED:
        return f"it is sent after `fleetctl job resume {job.id}` and another `producer enqueue`"
    return "its message is not put yet: `producer enqueue`, typed again, goes on with the list"


def _of_sent(story: TileStory, sent: Sequence[Asking], now: datetime) -> str:
    if all(asking.state is JobState.PAUSED for asking in sent):
        return f"it waits in the queue until `fleetctl job resume {sent[0].job.id}`"
    generation = story.standing.asked
    what = f"generation {generation}" if generation > 1 else "it"
    last: Attempt | None = story.attempts[-1] if story.attempts else None
    if last is not None and not last.end:
        return f"{last.worker} has said nothing since: {what} is taken by another worker when its lease has run out"
    if last is not None and _is_ahead(last.not_before, now):
        return f"{what} comes back at {last.not_before} ({last.cause}: {last.reason})"
    return f"a worker receives {what} when its turn comes"


def _is_ahead(time: str, now: datetime) -> bool:
    """Whether a time in a ledger line is still to come; what cannot be read is not."""
    try:
        return datetime.fromisoformat(time) > now
    except (ValueError, TypeError):
        return False
