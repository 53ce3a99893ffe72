"""Keeps every held message ours until it is settled: one thread renews all leases every third of their length.

A lease is renewed only while its tile makes progress. A stage that is stuck past its limit is not
renewed: the tile goes to somebody else, and the process says why and ends (`on_stuck`).

Renewals of one message follow each other under its own lock, since each needs the receipt of the one
before. The table of messages has another lock, never held during a request: a storage that takes half a
minute to answer must not keep the worker from noticing that it is to leave.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from consumer.slot_life import SHOW_SECONDS
from consumer.work import Stage, Work
from contract import log_lines
from contract.errors import LeaseLost, StorageError
from contract.fleet_queues import FleetQueues
from contract.tile_queue import Received

log = structlog.get_logger()

RENEWALS_PER_LEASE = 3
RETRY_SECONDS = 2.0
SHORTEST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0


@dataclass(eq=False, slots=True)
class _Kept:
    """One message under renewal."""

    work: Work
    due: float
    """time.monotonic() of the next renewal."""
    renewing: threading.Lock = field(default_factory=threading.Lock)
    is_released: bool = False


class LeaseKeeper:
    """The leases of one worker."""

    def __init__(
        self,
        queues: FleetQueues,
        *,
        lease_seconds: int,
        limit_seconds: Callable[[Stage], float],
        on_stuck: Callable[[Work, str], None],
        show_life: Callable[[], None] = lambda: None,
    ) -> None:
        """`show_life`: to whoever ends a worker that hangs as a whole; shown by the thread that finds stuck tiles,
        so that neither can be stuck unseen."""
        self.lease_seconds = lease_seconds
        self._queues = queues
        self._limit_seconds = limit_seconds
        self._on_stuck = on_stuck
        self._show_life = show_life
        self._showed_at = float("-inf")
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self._changed = threading.Event()

    def hold(self, work: Work) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._kept[work.attempt] = _Kept(work, self._next_due())
        self._changed.set()

    def release(self, work: Work) -> Received | None:
        """Stop renewing and return the newest receipt, which nobody else will change any more.
        Waits for a renewal that is under way. A second call returns the same."""
        with self._lock:
            kept = self._kept.pop(work.attempt, None)
        if kept is not None:
            with kept.renewing:
                kept.is_released = True
        return work.held

    def renew_now(self, work: Work, *, body: str | None = None) -> None:
        """Renew at once, with a new body if one is given. LeaseLost when it is not ours to renew any more."""
        with self._lock:
            kept = self._kept.get(work.attempt)
        if kept is None:
            raise LeaseLost(f"{work.tile_name}: its lease was given up, touch nothing")
        with kept.renewing:
            work.check()
            self._renew(kept, body)

    def held(self) -> list[Work]:
        with self._lock:
            return [kept.work for kept in self._kept.values()]

    def wake(self) -> None:
        """Let the thread look at once, also at its stop."""
        self._changed.set()

    def run(self, stop: threading.Event) -> None:
        """The thread's body."""
        while not stop.is_set():
            self._changed.clear()
            pause = self.renew_due(time.monotonic())
            self._changed.wait(min(pause, LONGEST_PAUSE_SECONDS))

    def renew_due(self, now: float) -> float:
        """Renew what is due; returns the seconds until the next is."""
        self._show_life_now_and_then()
        with self._lock:
            kept_now = list(self._kept.values())
        for kept in kept_now:
            if kept.due <= now:
                self._show_life_now_and_then()  # each renewal may wait for a storage that is away
                self._renew_or_give_up(kept, now)
        with self._lock:
            next_due = min((kept.due for kept in self._kept.values()), default=now + LONGEST_PAUSE_SECONDS)
        return max(SHORTEST_PAUSE_SECONDS, next_due - time.monotonic())

    def _show_life_now_and_then(self) -> None:
        if time.monotonic() - self._showed_at >= SHOW_SECONDS:
            self._showed_at = time.monotonic()
            self._show_life()

    def _renew_or_give_up(self, kept: _Kept, now: float) -> None:
        work = kept.work
        limit = self._limit_seconds(work.stage)  # the stage first: entering one writes it last
        silent_seconds = now - work.last_progress
        if silent_seconds > limit:
            reason = f"{work.stage} made no progress for {silent_seconds:.0f} s, its limit is {limit:.0f} s"
            work.end_early(LeaseLost(f"{work.tile_name}: {reason}; the tile goes to somebody else"))
            self.release(work)
            self._on_stuck(work, reason)
            return
        try:
            with kept.renewing:
                self._renew(kept, None)
        except LeaseLost as error:
            work.end_early(error)
            self.release(work)
            log.warning(log_lines.LEASE_LOST, tile=work.tile_name, attempt=work.attempt, reason=str(error))
        except StorageError as error:
            # The lease may still be ours when the storage comes back: only a newer receipt ends it.
            kept.due = time.monotonic() + RETRY_SECONDS
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=str(error))

    def _renew(self, kept: _Kept, body: str | None) -> None:
        if kept.is_released:
            return  # settled or handed back at this moment: the receipt is somebody's last one
        if kept.work.held is not None:  # a second attempt has no lease: only its progress is watched
            kept.work.held = self._queues.renew(kept.work.held, self.lease_seconds, body=body)
        kept.due = self._next_due()

    def _next_due(self) -> float:
        return time.monotonic() + self.lease_seconds / RENEWALS_PER_LEASE
