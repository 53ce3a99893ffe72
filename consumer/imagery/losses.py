"""Scenes that the catalogue promised and the storage did not deliver.

A few may be missing for good and the year is fine without them. Many at once mean that the source
is in trouble: the tile then waits, since a rate limit must never look like missing data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contract.errors import TryLater

LossCause = Literal["missing", "unreadable", "misplaced"]
"""In the catalogue but not in the storage; there but no raster; a raster of somewhere else. Throttling and
ended tokens are never among them: they pass, and until then the tile waits."""
NAMED_IN_ERROR = 5


class FileLost(Exception):
    """One file is of no use, and asking again will not change that."""

    def __init__(self, cause: LossCause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


@dataclass(frozen=True, order=True, slots=True)
class Loss:
    """One scene that could not be used."""

    scene: str
    cause: LossCause
    detail: str
    """Which file, and what its storage said."""


def refuse_if_too_many(losses: Sequence[Loss], scenes_wanted: int, max_lost_percent: float) -> None:
    """TryLater, naming some of them, if more than that share of the scenes wanted is lost."""
    lost = {loss.scene for loss in losses}
    if not lost or 100 * len(lost) <= max_lost_percent * scenes_wanted:
        return
    named = "; ".join(
        f"{loss.scene} {loss.cause} ({loss.detail})" for loss in sorted(losses)[:NAMED_IN_ERROR]
    )
    raise TryLater(
        f"{len(lost)} of {scenes_wanted} scenes could not be read, more than {max_lost_percent:g} %: "
        f"the tile waits for its source. {named}"
    )


def count_by_cause(losses: Sequence[Loss]) -> Mapping[str, int]:
    """How many scenes were lost to each cause; a scene with two broken files counts once per cause."""
    return dict(sorted(Counter(cause for _, cause in {(loss.scene, loss.cause) for loss in losses}).items()))
