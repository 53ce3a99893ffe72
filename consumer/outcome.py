"""What to do with a tile whose attempt ended early: an error and a history in, a decision with a reason out.

Pure. Tries are counted by cause (design section 3), because on spot machines most interruptions are
nobody's fault: evictions and hand-backs charge nothing, sources cost time, only the tile's own faults
count against it. `settle.py` carries the decision out.
"""

from __future__ import annotations

import errno
import hashlib
import re
from dataclasses import dataclass, replace

from contract.errors import (
    GiveUp,
    LeaseLost,
    Stopped,
    StorageError,
    TryLater,
    WorkerUnfit,
)
from contract.outcomes import Cause
from contract.tile_message import PastAttempt, TileMessage

IDENTICAL_TILE_ERRORS = 2
"""The second identical one is poison."""
MAX_TILE_ERRORS = 5
"""Different ones each time still end."""
WORKERS_HARMED = 3
"""The third distinct worker that a tile makes unfit: the tile is the suspect."""
SOLO_DEATHS = 3
SUSPECT_AFTER_DEATHS = 2
"""Silent deaths from which on the tile runs alone."""
MAX_FRUITLESS_ATTEMPTS = 30
"""Of any cause but source, without a checkpoint: something is wrong with the tile after all."""

FIRST_SOURCE_PAUSE_SECONDS = 30
LONGEST_SOURCE_PAUSE_SECONDS = 3600
SOURCE_PATIENCE_SECONDS = 5 * 24 * 3600
"""A source that fails for days is poison: by time, not by tries."""
TILE_PAUSE_SECONDS = 60
STORAGE_PAUSE_SECONDS = 30

MACHINE_ERRNOS = frozenset(
    {
        *(errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE),
        *(errno.ENOMEM, errno.EACCES, errno.EPERM),
    }
)


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
    cause: Cause
    reason: str
    worker_unfit: str = ""


Decision = Drop | Return | Poison


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a received message is to be run."""

    message: TileMessage
    is_solo: bool
    reason: str = ""


def judge_delivery(message: TileMessage, delivery_count: int) -> Delivery | Poison:
    """Run it, run it alone, or give it up, from what the queue and the message tell of earlier attempts."""
    deaths = silent_deaths(message, delivery_count)
    if message.solo_deaths >= SOLO_DEATHS:
        reason = f"kills its worker: {message.solo_deaths} workers died while it ran alone"
        return Poison(message, Cause.SILENT_DEATH, reason)
    fruitless = deaths + sum(n for cause, n in message.tries.items() if cause in _FRUITLESS)
    if fruitless >= MAX_FRUITLESS_ATTEMPTS:
        return Poison(message, Cause.SILENT_DEATH, f"no progress in {fruitless} attempts")
    if deaths >= SUSPECT_AFTER_DEATHS or message.solo_deaths:
        return Delivery(message, is_solo=True, reason=f"{deaths} workers vanished with it: it runs alone")
    return Delivery(message, is_solo=False)


_FRUITLESS = frozenset({Cause.EVICTED, Cause.TILE, Cause.WORKER})


def judge(
    error: BaseException, message: TileMessage, *, attempt: str, worker: str, is_evicted: bool
) -> Decision:
    """What an attempt that ended with `error` means for its tile and its worker."""
    cause = classify(error)
    if cause is None:
        return Drop(str(error))
    if cause is Cause.HANDED_BACK:
        return judge_interruption(error, message, attempt=attempt, worker=worker, is_evicted=is_evicted)
    past = PastAttempt(attempt=attempt, worker=worker, cause=cause, reason=fingerprint(error))
    text = describe(error)
    after = returned(message.after(past))
    if cause is Cause.SOURCE:
        return _source(after, text)
    if cause is Cause.WORKER:
        return _worker(after, past, text)
    return _tile(after, past, text)


def judge_interruption(
    error: BaseException, message: TileMessage, *, attempt: str, worker: str, is_evicted: bool
) -> Return:
    """An attempt that was asked to end: nobody is charged, and evicted tiles go in front."""
    text = describe(error)
    if not is_evicted:
        return Return(returned(message), Cause.HANDED_BACK, 0, to_urgent=False, reason=text)
    past = PastAttempt(attempt=attempt, worker=worker, cause=Cause.EVICTED, reason=fingerprint(error))
    return Return(returned(message.after(past)), Cause.EVICTED, 0, to_urgent=True, reason=text)


def classify(error: BaseException) -> Cause | None:
    """Who an error is to be blamed on; None: the lease is gone, it is nobody's business any more."""
    if isinstance(error, LeaseLost):
        return None
    if isinstance(error, Stopped):
        return Cause.HANDED_BACK
    if isinstance(error, TryLater | StorageError):
        return Cause.SOURCE
    if isinstance(error, WorkerUnfit | MemoryError):
        return Cause.WORKER
    if isinstance(error, OSError) and error.errno in MACHINE_ERRNOS:
        return Cause.WORKER
    return Cause.TILE


def returned(message: TileMessage) -> TileMessage:
    """The message as it goes back to its own queue: one more delivery that did not end in silence."""
    return replace(message, returns=message.returns + 1)


def moved(message: TileMessage, delivery_count: int) -> TileMessage:
    """A `returned` message as it enters another queue, where its deliveries are counted anew:
    the deaths that the old count told go along as a total."""
    deaths = silent_deaths(message, delivery_count + 1)
    tries = {**message.tries, Cause.SILENT_DEATH: deaths} if deaths else message.tries
    return replace(message, tries=tries, returns=0)


def silent_deaths(message: TileMessage, delivery_count: int) -> int:
    """How many attempts ended without a word: deliveries before this one that nobody returned."""
    in_this_queue = max(0, delivery_count - 1 - message.returns)
    return in_this_queue + message.tries.get(Cause.SILENT_DEATH, 0)


_NOT_IN_A_WORD = re.compile(r"[^A-Za-z0-9._-]")
"""What a message's history does not take: the next worker would not know the message for one of ours."""


def fingerprint(error: BaseException) -> str:
    """Short, and equal for equal faults: the class and a digest of the text without its numbers."""
    text = re.sub(r"\d+", "#", str(error))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]
    return f"{_NOT_IN_A_WORD.sub('-', type(error).__name__)[:80]}:{digest}"


def describe(error: BaseException) -> str:
    """The error for a person, in one line."""
    text = " ".join(str(error).split())[:500]
    ours = isinstance(error, GiveUp | TryLater | WorkerUnfit | Stopped | StorageError)
    return text if ours and text else f"{type(error).__name__}: {text}"


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


def _worker(after: TileMessage, past: PastAttempt, text: str) -> Return | Poison:
    harmed = {entry.worker for entry in after.past if entry.cause is Cause.WORKER} | {past.worker}
    if len(harmed) >= WORKERS_HARMED:
        reason = f"harms workers: {len(harmed)} of them became unfit with it, the last one by {text}"
        return Poison(after, Cause.WORKER, reason, worker_unfit=text)
    return Return(after, Cause.WORKER, 0, to_urgent=False, reason=text, worker_unfit=text)


def _tile(after: TileMessage, past: PastAttempt, text: str) -> Return | Poison:
    same = sum(entry.cause is Cause.TILE and entry.reason == past.reason for entry in after.past)
    if same >= IDENTICAL_TILE_ERRORS:
        return Poison(after, Cause.TILE, f"failed {same} times in the same way: {text}")
    if after.tries[Cause.TILE] >= MAX_TILE_ERRORS:
        return Poison(after, Cause.TILE, f"failed {after.tries[Cause.TILE]} times, the last time: {text}")
    return Return(after, Cause.TILE, TILE_PAUSE_SECONDS, to_urgent=False, reason=text)
