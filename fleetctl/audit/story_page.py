"""A tile's story as a page for a person, and as JSON. Its texts come from outside, so they are made safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from contract.commit_record import CommitRecord
from fleetctl import phrases
from fleetctl.audit.next_step import next_step
from fleetctl.audit.tile_attempts import Attempt
from fleetctl.audit.tile_story import Asking, Result, TileStory
from fleetctl.poison.tables import entry_json, entry_page
from fleetctl.safe_text import safe_text


def story_page(story: TileStory, now: datetime) -> RenderableType:
    """The whole story, the next step last."""
    parts: list[RenderableType] = [Text(f"{story.tile} of {story.dataset}", style="bold")]
    for heading, lines in _sections(story):
        parts += [Text(f"\n{heading}", style="dim"), *(Text(f"  {safe_text(line)}") for line in lines)]
    if story.attempts:
        parts += [Text("\nattempts", style="dim"), _attempts_table(story.attempts)]
    if story.poison is not None:
        parts += [Text("\npoison entry", style="dim"), entry_page(story.poison)]
    parts.append(Text(f"\nnext: {safe_text(next_step(story, now))}", style="bold"))
    return Group(*parts)


def story_json(story: TileStory, now: datetime) -> dict[str, Any]:
    """The same for programs."""
    return {
        "tile": story.tile.name,
        "dataset": story.dataset,
        "asked": [
            {
                "job": asking.job.id,
                "state": asking.state.value if asking.state else None,
                "asked": asking.job.created,
                "position": asking.position,
                "is_sent": asking.is_sent,
            }
            for asking in story.askings
        ],
        "attempts": [_attempt_json(attempt) for attempt in story.attempts],
        "results": [_result_json(result) for result in story.results],
        "faults": [[fault.kind.value, fault.artifact, fault.detail] for fault in story.faults],
        "poison": entry_json(story.poison) if story.poison else None,
        "checkpoints": story.checkpoints,
        "staging": story.staging,
        "next": next_step(story, now),
    }


def _sections(story: TileStory) -> Iterator[tuple[str, list[str]]]:
    yield "asked by", [_asking_line(asking) for asking in story.askings]
    if story.results:
        yield "results", [line for result in story.results for line in _result_lines(result)]
    if story.faults:
        yield "wrong", [f"{fault.kind.value}: {fault.artifact} {fault.detail}" for fault in story.faults]
    beside = [f"{story.checkpoints} checkpoints"] if story.checkpoints else []
    beside += [f"{story.staging} uploads of attempts in staging"] if story.staging else []
    if beside:
        yield "beside it", beside
    if story.holders:
        yield (
            "held by",
            [
                f"{h.worker}: {h.held.stage} since {h.held.since}, said {phrases.duration(h.age_seconds)} ago"
                for h in story.holders
            ],
        )


def _asking_line(asking: Asking) -> str:
    job = asking.job
    state = asking.state.value if asking.state else "not started"
    sent = "message put" if asking.is_sent else "message not put yet"
    return f"{job.id} ({state}), {job.created}: tile {asking.position + 1:,} of {job.asked_count:,}, {sent}"


def _result_lines(result: Result) -> Iterator[str]:
    generation = f"generation {result.generation}"
    if result.record is None:
        yield f"{generation} cannot be read: {result.problem}"
    else:
        record = result.record
        worker = record.done.get("worker", "a worker that it does not name")
        published = f"published {result.published_at}" if result.published_at else "not published yet"
        yield f"{generation}: {record.outcome.value}, attempt {record.attempt} of {worker}, {published}"
        if scenes := scenes_of(record):
            yield f"  scenes: {scenes}"
        for artifact in record.artifacts:
            yield f"  {artifact.name}, {phrases.size(artifact.length)}"
    if result.revoked:
        yield f"  revoked {result.revoked}"


def scenes_of(record: CommitRecord) -> str:
    """How many scenes the recipe found, used and lost, where it says so."""
    scenes = record.provenance.get("scenes")
    if not isinstance(scenes, Mapping):
        return ""
    lost = scenes.get("lost")
    parts = [f"{scenes[key]} {key}" for key in ("found", "used") if key in scenes]
    if isinstance(lost, Mapping) and lost:
        causes = ", ".join(f"{count} {cause}" for cause, count in sorted(lost.items()))
        parts.append(f"lost: {causes}")
    elif lost is not None:
        parts.append("none lost" if not lost else f"lost: {lost}")
    return ", ".join(parts)


def _attempts_table(attempts: tuple[Attempt, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("  attempt", "worker", "began", "stages", "end", "reason"):
        table.add_column(heading, overflow="fold")
    for attempt in attempts:
        stages = ", ".join(
            f"{stage} {phrases.duration(seconds)}" for stage, seconds in attempt.stage_seconds.items()
        )
        end = " ".join(part for part in (attempt.end or "no word since", attempt.cause) if part)
        words = (f"  {attempt.id or '-'}", attempt.worker, attempt.began, stages, end, attempt.reason)
        table.add_row(*(Text(safe_text(word)) for word in words))
    return table


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.id,
        "worker": attempt.worker,
        "generation": attempt.generation,
        "began": attempt.began,
        "delivery_count": attempt.delivery_count,
        "seconds": attempt.stage_seconds,
        "checkpoints": attempt.checkpoints,
        "end": attempt.end,
        "ended": attempt.ended,
        "cause": attempt.cause,
        "reason": attempt.reason,
        "not_before": attempt.not_before,
    }


def _result_json(result: Result) -> dict[str, Any]:
    record = result.record
    return {
        "generation": result.generation,
        "problem": result.problem,
        "attempt": record.attempt if record else None,
        "outcome": record.outcome.value if record else None,
        "published": result.published_at or None,
        "revoked": result.revoked or None,
        "scenes": scenes_of(record) if record else "",
        "artifacts": [artifact.name for artifact in record.artifacts] if record else [],
    }
