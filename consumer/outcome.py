"""What to do with a tile whose attempt ended early: an error and a history in, a decision with a reason out.

Pure. Tries are counted by cause (design section 3), because on spot machines most interruptions are
nobody's fault: evictions and hand-backs charge nothing, sources cost time, only the tile's own faults
count against it. `settle.py` carries the decision out.

An attempt that ends in silence is judged at the next delivery: `receive.py` gathers the evidence, and
`judge_delivery` says who is charged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from consumer.blame import classify, describe, fingerprint
from contract.outcomes import Cause
from contract.tile_message import Begun, PastAttempt, TileMessage, checkpoint_blocks, fitting_word

IDENTICAL_TILE_ERRORS = 2
"""The second identical one is poison."""
MAX_TILE_ERRORS = 5
"""Different ones each time still end."""
WORKERS_HARMED = 3
"""The third distinct worker that a tile makes unfit: the tile is the suspect."""
SOLO_DEATHS = 3
SUSPECT_AFTER_DEATHS = 2
"""Charged silent deaths from which on the tile runs alone."""
MAX_FRUITLESS_ATTEMPTS = 30
"""Of any cause that is not a mere delay, without a newer checkpoint: something is wrong with the tile after all."""
SILENCE = "silence"
"""The reason of an attempt that gave none."""

FIRST_SOURCE_PAUSE_SECONDS = 30
LONGEST_SOURCE_PAUSE_SECONDS = 3600
SOURCE_PATIENCE_SECONDS = 5 * 24 * 3600
"""A source that fails for days is poison: by time, not by tries."""
TILE_PAUSE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Drop:
    """Touch nothing: the message is somebody else's, or its lease will run out."""

    reason: str


@dataclass(frozen=True, slots=True)
class Return:
    """Put the message back, changed so."""

    message: TileMessage
    cause: Cause
    pause_seconds: int
    to_urgent: bool
    reason: str
    worker_unfit: str = ""
    """Why this worker must take nothing more; empty when it may go on."""


@dataclass(frozen=True, slots=True)
class Poison:
    """Give the tile up until a person looks at it."""

    message: TileMessage
    """Its `harmed` names the workers to be tested again, since the tile is the suspect now."""
    cause: Cause
    reason: str
    worker_unfit: str = ""


Decision = Drop | Return | Poison


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the storage tells of an attempt that began and never reported."""

    eviction: str = ""
    """Why its machine was taken away; empty when nobody saw that."""
    checkpoint: str = ""
    """The checkpoint of this tile with the most blocks, by name; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a received message is to be run."""

    message: TileMessage
    """With all earlier deliveries accounted for."""
    is_solo: bool


def judge_delivery(
    message: TileMessage,
    delivery_count: int,
    evidence: Evidence = Evidence(),
) -> Delivery | Poison:
    """Run it, run it alone, or give it up, from what the queue and the message tell of earlier attempts.

    `evidence` is needed only for a message that `ended_in_silence`.
    """
    known = accounted(message, delivery_count, evidence)
    deaths = known.tries.get(Cause.SILENT_DEATH, 0)
    if known.solo_deaths >= SOLO_DEATHS:
        reason = f"kills its worker: {known.solo_deaths} workers died while it ran alone"
        return Poison(known, Cause.SILENT_DEATH, reason)
    if len(known.harmed) >= WORKERS_HARMED:
        return Poison(known, Cause.WORKER, _harms(known))
    if known.fruitless >= MAX_FRUITLESS_ATTEMPTS:
        last_cause = known.past[-1].cause if known.past else Cause.SILENT_DEATH
        return Poison(known, last_cause, f"no progress in {known.fruitless} attempts")
    return Delivery(known, is_solo=deaths >= SUSPECT_AFTER_DEATHS or known.solo_deaths > 0)


def ended_in_silence(message: TileMessage, delivery_count: int) -> bool:
    """Whether an attempt that had begun never reported its end."""
    return message.begun is not None and unreported(message, delivery_count) > 0


def unreported(message: TileMessage, delivery_count: int) -> int:
    """How many deliveries before this one are not accounted for in the message."""
    return max(0, delivery_count - 1 - message.returns)


def accounted(message: TileMessage, delivery_count: int, evidence: Evidence) -> TileMessage:
    """The message with every earlier delivery in its totals.

    A delivery that nobody reported is an attempt without progress. Charged is only the one that had begun to
    prepare or infer, and only where neither an eviction nor a newer checkpoint explains its silence.
    """
    silent = unreported(message, delivery_count)
    known = replace(message, returns=delivery_count - 1, fruitless=message.fruitless + silent, begun=None)
    if message.begun is None or not silent:
        return known
    known = known.reached(evidence.checkpoint)
    begun = message.begun
    if evidence.eviction:
        return known.after(PastAttempt(begun.attempt, begun.worker, Cause.EVICTED, SILENCE))
    if checkpoint_blocks(known.checkpoint) > checkpoint_blocks(message.checkpoint):
        return known
    charged = known.after(PastAttempt(begun.attempt, begun.worker, Cause.SILENT_DEATH, SILENCE))
    return replace(charged, solo_deaths=charged.solo_deaths + begun.is_solo)


def begun(
    message: TileMessage, *, attempt: str, worker: str, vm: str, boot_id: str, is_solo: bool
) -> TileMessage:
    """The message while this attempt prepares and infers its tile: on the wire only, so that every end that
    we live to report takes it back by being written over it."""
    mark = Begun(
        attempt=attempt,
        worker=fitting_word(worker),
        vm=fitting_word(vm),
        boot_id=fitting_word(boot_id),
        is_solo=is_solo,
    )
    return replace(message, begun=mark)


_FRUITLESS = frozenset({Cause.EVICTED, Cause.TILE, Cause.WORKER})


def judge(
    error: BaseException,
    message: TileMessage,
    *,
    attempt: str,
    worker: str,
    is_evicted: bool,
    is_opened: bool = True,
) -> Decision:
    """What an attempt that ended with `error` means for its tile and its worker.

    `is_opened`: whether the worker could open the tile's recipe at all; an unfitness before that, such as
    wrong weights, has nothing to do with the tile.
    """
    cause = classify(error)
    if cause is None:
        return Drop(str(error))
    if cause is Cause.HANDED_BACK:
        return judge_interruption(error, message, attempt=attempt, worker=worker, is_evicted=is_evicted)
    text = describe(error)
    if cause is Cause.WORKER and not is_opened:
        return Return(returned(message), cause, 0, to_urgent=False, reason=text, worker_unfit=text)
    past = PastAttempt(attempt=attempt, worker=worker, cause=cause, reason=fingerprint(error))
    after = _ended(message, past)
    if cause is Cause.SOURCE:
        return _source(after, text)
    if cause is Cause.WORKER:
        return _worker(after, worker, text)
    return _tile(after, past, text)


def judge_interruption(
    error: BaseException, message: TileMessage, *, attempt: str, worker: str, is_evicted: bool
) -> Return:
    """An attempt that was asked to end: nobody is charged, and evicted tiles go in front."""
    text = describe(error)
    if not is_evicted:
        return Return(returned(message), Cause.HANDED_BACK, 0, to_urgent=False, reason=text)
    past = PastAttempt(attempt=attempt, worker=worker, cause=Cause.EVICTED, reason=fingerprint(error))
    return Return(_ended(message, past), Cause.EVICTED, 0, to_urgent=True, reason=text)


def _ended(message: TileMessage, past: PastAttempt) -> TileMessage:
    """The message as it goes back after an attempt that did not commit."""
    after = returned(message.after(past))
    return replace(after, fruitless=after.fruitless + (past.cause in _FRUITLESS))


def returned(message: TileMessage) -> TileMessage:
    """The message as it goes back to its own queue: one more delivery that did not end in silence."""
    return replace(message, returns=message.returns + 1)


def moved(message: TileMessage) -> TileMessage:
    """The message as it enters another queue, where its deliveries are counted anew. Its totals go along."""
    return replace(message, returns=0)


def _source(after: TileMessage, text: str) -> Return | Poison:
    tries = after.tries[Cause.SOURCE]
    waited = sum(source_pause_seconds(n) for n in range(1, tries))
    if waited >= SOURCE_PATIENCE_SECONDS:
        return Poison(
            after, Cause.SOURCE, f"the source failed {tries} times over {waited // 86400} days: {text}"
        )
    return Return(after, Cause.SOURCE, source_pause_seconds(tries), to_urgent=False, reason=text)


def source_pause_seconds(tries: int) -> int:
    """Growing pauses: 30 s, doubled each time, an hour at most."""
    return int(min(FIRST_SOURCE_PAUSE_SECONDS * 2 ** min(tries - 1, 20), LONGEST_SOURCE_PAUSE_SECONDS))


def _harms(message: TileMessage) -> str:
    return f"harms workers: {', '.join(message.harmed)} became unfit with it"


def _worker(after: TileMessage, worker: str, text: str) -> Return | Poison:
    harmed = tuple(dict.fromkeys((*after.harmed, fitting_word(worker))))
    after = replace(after, harmed=harmed[:WORKERS_HARMED])
    if len(harmed) >= WORKERS_HARMED:
        return Poison(after, Cause.WORKER, f"{_harms(after)}, the last one by {text}", worker_unfit=text)
    return Return(after, Cause.WORKER, 0, to_urgent=False, reason=text, worker_unfit=text)


def _tile(after: TileMessage, past: PastAttempt, text: str) -> Return | Poison:
    same = sum(entry.cause is Cause.TILE and entry.reason == past.reason for entry in after.past)
    if same >= IDENTICAL_TILE_ERRORS:
        return Poison(after, Cause.TILE, f"failed {same} times in the same way: {text}")
    if after.tries[Cause.TILE] >= MAX_TILE_ERRORS:
        return Poison(after, Cause.TILE, f"failed {after.tries[Cause.TILE]} times, the last time: {text}")
    return Return(after, Cause.TILE, TILE_PAUSE_SECONDS, to_urgent=False, reason=text)
