"""Keeps every held message ours until it is settled: one thread renews all leases every third of their length.

A lease is renewed only while its tile makes progress. A stage that is stuck past its limit is not
renewed: the tile goes to somebody else, and the process says why and ends (`on_stuck`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from consumer.work import Stage, Work
from contract import log_lines
from contract.errors import LeaseLost, StorageError
from contract.fleet_queues import FleetQueues
from contract.tile_queue import Received

log = structlog.get_logger()

RENEWALS_PER_LEASE = 3
RETRY_SECONDS = 2.0


class LeaseKeeper:
    """The leases of one worker."""

    def __init__(
        self,
        queues: FleetQueues,
        *,
        lease_seconds: int,
        limit_seconds: Callable[[Stage], float],
        on_stuck: Callable[[Work, str], None],
    ) -> None:
        self.lease_seconds = lease_seconds
        self._queues = queues
        self._limit_seconds = limit_seconds
        self._on_stuck = on_stuck
        self._held: dict[str, Work] = {}
        self._due: dict[str, float] = {}
        self._lock = threading.RLock()
        self._changed = threading.Event()

    def hold(self, work: Work) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._held[work.attempt] = work
            self._due[work.attempt] = time.monotonic() + self.lease_seconds / RENEWALS_PER_LEASE
        self._changed.set()

    def release(self, work: Work) -> Received:
        """Stop renewing and return the newest receipt, which nobody else will change any more."""
        with self._lock:
            self._held.pop(work.attempt, None)
            self._due.pop(work.attempt, None)
            return work.held

    def renew_now(self, work: Work, *, body: str | None = None) -> None:
        """Renew at once, with a new body if one is given. LeaseLost when it is somebody else's."""
        with self._lock:
            work.check()
            work.held = self._queues.renew(work.held, self.lease_seconds, body=body)
            self._due[work.attempt] = time.monotonic() + self.lease_seconds / RENEWALS_PER_LEASE

    def held(self) -> list[Work]:
        with self._lock:
            return list(self._held.values())

    def run(self, stop: threading.Event) -> None:
        """The thread's body."""
        while not stop.is_set():
            self._changed.clear()
            pause = self.renew_due(time.monotonic())
            self._changed.wait(min(pause, 1.0))

    def renew_due(self, now: float) -> float:
        """Renew what is due; returns the seconds until the next is."""
        for work in self.held():
            if self._due.get(work.attempt, now + 1) <= now:
                self._renew(work, now)
        with self._lock:
            return max(0.05, min(self._due.values(), default=now + 1.0) - time.monotonic())

    def _renew(self, work: Work, now: float) -> None:
        silent_seconds = now - work.last_progress
        limit = self._limit_seconds(work.stage)
        if silent_seconds > limit:
            self.release(work)
            self._on_stuck(
                work, f"{work.stage} made no progress for {silent_seconds:.0f} s, its limit is {limit:.0f} s"
            )
            return
        with self._lock:
            if work.attempt not in self._held:
                return
            try:
                work.held = self._queues.renew(work.held, self.lease_seconds)
                self._due[work.attempt] = now + self.lease_seconds / RENEWALS_PER_LEASE
            except LeaseLost as error:
                work.end_early(error)
                self.release(work)
                log.warning(
                    log_lines.LEASE_LOST, tile=work.tile_name, attempt=work.attempt, reason=str(error)
                )
            except StorageError as error:
                # The lease may still be ours when the storage comes back: only a newer receipt ends it.
                self._due[work.attempt] = now + RETRY_SECONDS
                log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=str(error))
