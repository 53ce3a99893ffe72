"""Which tiles of a campaign's tail are worth a second attempt by an idle worker: slow ones and silent ones. Pure.

The queue brings back what a dead worker held as soon as the lease runs out. What it cannot know of: a holder that
renews its lease and does not get on, and one that renews it and is not heard of any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from contract.heartbeat import HeldTile, SeenHeartbeat

SLOW_FACTOR = 3.0
"""Times the median of what a stage takes: below it nobody is slow, only unlucky."""
LONGEST_SILENCE_SECONDS = 3600.0
"""A heartbeat older than that is a dead worker's last one; the queue brought its tiles back long ago."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast tiles go, as this worker measured it."""

    stage_seconds: Mapping[str, float]
    """Median of each timed stage; empty before there are enough."""
    silent_seconds: float
    """A worker unheard of for so long is silent; longer than a lease, within which the queue helps itself."""
    least_seconds: float
    """No stage is slow before that: a second attempt has a price."""

    @property
    def tile_seconds(self) -> float:
        """A whole tile; 0 when nobody knows."""
        return sum(self.stage_seconds.values())

    @property
    def claim_seconds(self) -> float:
        """After which a claim to a second attempt that led to no commit is a dead one's."""
        return SLOW_FACTOR * max(self.tile_seconds, self.least_seconds)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tile that an idle worker may try, too."""

    tile: HeldTile
    holder: str
    seconds: float
    """How long it has been where it is."""
    reason: str


def tail_candidates(
    seen: Iterable[SeenHeartbeat], pace: Pace, now: datetime, *, worker: str
) -> list[Candidate]:
    """The tiles worth a second attempt by `worker`, the longest in their stage first. `now`: the store's clock."""
    newest: dict[tuple[str, str, int], tuple[SeenHeartbeat, HeldTile]] = {}
    for report in sorted(seen, key=lambda one: one.age_seconds, reverse=True):
        for tile in report.heartbeat.tiles:
            if not tile.is_second:
                newest[tile.dataset, tile.tile, tile.generation] = (report, tile)
    found = [
        Candidate(tile, report.heartbeat.worker, _seconds_in_stage(tile, now), reason)
        for report, tile in newest.values()
        if report.heartbeat.worker != worker and (reason := why_second(report, tile, pace, now))
    ]
    return sorted(found, key=lambda candidate: candidate.seconds, reverse=True)


def why_second(report: SeenHeartbeat, tile: HeldTile, pace: Pace, now: datetime) -> str:
    """Why a tile in that hand is worth a second attempt; empty when it is not."""
    if tile.is_solo or not tile.job:
        return ""  # a suspect runs alone, in one worker at a time
    if report.age_seconds > LONGEST_SILENCE_SECONDS:
        return ""
    holder = report.heartbeat.worker
    if report.age_seconds > pace.silent_seconds:
        return f"{holder} has it and has not been heard of for {report.age_seconds:.0f} s"
    return _why_slow(tile, holder, pace, now)


def _why_slow(tile: HeldTile, holder: str, pace: Pace, now: datetime) -> str:
    if not pace.stage_seconds:
        return ""
    # Where a tile only waits, a whole one could have been made meanwhile.
    usual = pace.stage_seconds.get(tile.stage, pace.tile_seconds)
    seconds = _seconds_in_stage(tile, now)
    if seconds <= max(SLOW_FACTOR * usual, pace.least_seconds):
        return ""
    if tile.progress > 0 and seconds * (1 - tile.progress) / tile.progress < pace.tile_seconds:
        return ""  # slow, and nevertheless done before we would be
    return f"{holder} has it in {tile.stage} for {seconds:.0f} s, {usual:.0f} s are usual"


def _seconds_in_stage(tile: HeldTile, now: datetime) -> float:
    """By the holder's clock, which is right to within a minute or its worker is unfit; 0 for what is no time."""
    try:
        return max(0.0, (now - datetime.fromisoformat(tile.since)).total_seconds())
    except (TypeError, ValueError):  # no time, or one without its zone
        return 0.0
