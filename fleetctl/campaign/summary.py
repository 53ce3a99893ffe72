"""What a job came to, in numbers: seconds per stage, bytes, and how busy inference was. Pure."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contract.outcomes import Outcome
from fleetctl.campaign.facts import TileFacts

STAGE_ORDER = ("download", "prepare", "infer", "upload", "settle")
INFER = "infer"


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds that tiles spent in one stage."""

    stage: str
    tiles: int
    median_seconds: float
    p95_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """How much of one worker's time was inference, once it had begun.

    The span runs from the end of its first inference to the end of its last: what came before the
    first is start-up, and every second within that was not inference is a second of waiting.
    """

    worker: str
    tiles: int
    """Inferred ones."""
    busy_seconds: float
    """Of inference within the span."""
    span_seconds: float

    @property
    def share(self) -> float | None:
        """0..1; None before a second inference ended."""
        return self.busy_seconds / self.span_seconds if self.span_seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Summary:
    """A job's end table. Times and bytes are of the tiles that this job had made, not of reused ones."""

    asked: int
    outcomes: Mapping[Outcome, int]
    """Tiles by outcome; an outcome that no tile had is left out."""
    reused: int
    """Committed tiles that another job of the same dataset had made."""
    stages: tuple[StageTimes, ...]
    workers: tuple[WorkerShare, ...]
    downloaded_bytes: int
    uploaded_bytes: int
    wall_seconds: float | None
    """From the first tile that was received to the last that was inferred or committed."""
    tiles_per_hour: float | None
    """Over `wall_seconds`."""

    @property
    def committed(self) -> int:
        return self.outcomes.get(Outcome.DONE, 0) + self.outcomes.get(Outcome.EMPTY, 0)

    @property
    def left(self) -> int:
        return self.asked - sum(self.outcomes.values())

    @property
    def busy_share(self) -> float | None:
        """Of all workers together: their inference seconds over their spans."""
        span_seconds = sum(worker.span_seconds for worker in self.workers)
        return sum(worker.busy_seconds for worker in self.workers) / span_seconds if span_seconds else None


def summarise(facts: Sequence[TileFacts], *, job: str, asked: int, poison: int) -> Summary:
    """The summary of a job from the facts of its committed tiles, whoever had them made."""
    outcomes = Counter(fact.outcome for fact in facts)
    if poison:
        outcomes[Outcome.POISON] = poison
    own = [fact for fact in facts if fact.job == job]
    wall_seconds = _wall_seconds(own)
    return Summary(
        asked=asked,
        outcomes=dict(outcomes),
        reused=len(facts) - len(own),
        stages=stage_times(own),
        workers=worker_shares(own),
        downloaded_bytes=sum(fact.downloaded_bytes for fact in own),
        uploaded_bytes=sum(fact.uploaded_bytes for fact in own),
        wall_seconds=wall_seconds,
        tiles_per_hour=len(own) / wall_seconds * 3600 if wall_seconds else None,
    )


def stage_times(facts: Iterable[TileFacts]) -> tuple[StageTimes, ...]:
    """Median, 95th percentile and total of every stage that any tile went through, in the tile's order."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for fact in facts:
        for stage, spent in fact.stage_seconds.items():
            seconds[stage].append(spent)
    known = [stage for stage in STAGE_ORDER if stage in seconds]
    others = sorted(seconds.keys() - set(STAGE_ORDER))
    return tuple(
        StageTimes(
            stage=stage,
            tiles=len(seconds[stage]),
            median_seconds=statistics.median(seconds[stage]),
            p95_seconds=percentile(seconds[stage], 0.95),
            total_seconds=math.fsum(seconds[stage]),
        )
        for stage in (*known, *others)
    )


def worker_shares(facts: Iterable[TileFacts]) -> tuple[WorkerShare, ...]:
    """The busy share of each worker that inferred, by its own clock; sorted by name."""
    inferred: defaultdict[str, list[tuple[datetime, float]]] = defaultdict(list)
    for fact in facts:
        if fact.infer_ended is not None and INFER in fact.stage_seconds:
            inferred[fact.worker].append((fact.infer_ended, fact.stage_seconds[INFER]))
    return tuple(_share(worker, sorted(inferred[worker])) for worker in sorted(inferred))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _share(worker: str, ended: Sequence[tuple[datetime, float]]) -> WorkerShare:
    """`ended`: (end of an inference, its seconds), in the order of time."""
    return WorkerShare(
        worker=worker,
        tiles=len(ended),
        busy_seconds=math.fsum(seconds for _, seconds in ended[1:]),
        span_seconds=(ended[-1][0] - ended[0][0]) / timedelta(seconds=1),
    )


def _wall_seconds(facts: Sequence[TileFacts]) -> float | None:
    began = min((fact.began for fact in facts if fact.began is not None), default=None)
    # The store's times are cut to whole seconds, so the last inference may seem to end after its commit.
    ended = max((max(fact.committed, fact.infer_ended or fact.committed) for fact in facts), default=None)
    if began is None or ended is None or ended <= began:
        return None
    return (ended - began) / timedelta(seconds=1)
