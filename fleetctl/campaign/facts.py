"""What a commit says about the work behind it: the numbers that summaries are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contract.errors import BadInput
from contract.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class TileFacts:
    """One committed tile, as its worker described it."""

    job: str
    """The one whose message was worked on: a dataset's tiles may serve several."""
    tile: str
    worker: str
    outcome: Outcome
    stage_seconds: Mapping[str, float]
    """Seconds by stage name. What came after the commit (settling) is not in it."""
    downloaded_bytes: int
    uploaded_bytes: int
    committed: datetime
    """By the store's clock, UTC."""
    began: datetime | None = None
    """When the worker received the tile, by its own clock, UTC; None when it did not say."""
    infer_ended: datetime | None = None
    """When its inference ended, by the same clock; None without inference."""


def read_facts(done: Mapping[str, Any], outcome: Outcome, committed: datetime) -> TileFacts:
    """The facts in a commit's `done` part; BadInput that says what cannot be one."""
    try:
        return TileFacts(
            job=str(done["job"]),
            tile=str(done["tile"]),
            worker=str(done["worker"]),
            outcome=outcome,
            stage_seconds={str(stage): float(value) for stage, value in dict(done["seconds"]).items()},
            downloaded_bytes=int(done["downloaded_bytes"]),
            uploaded_bytes=int(done["uploaded_bytes"]),
            committed=committed,
            began=_time(done.get("began")),
            infer_ended=_time(done.get("infer_ended")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"a commit's account of its work lacks or misstates {error}") from error


def _time(text: object) -> datetime | None:
    """ISO 8601 with its offset."""
    return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None
