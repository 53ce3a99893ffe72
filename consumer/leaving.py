"""Leaving: what is handed back, finished or given up, in which order, when the worker must go (design section 5).

1. Stop receiving (the caller has done that).
2. Free every lease that is not being inferred or uploaded, at once: evicted ones to the urgent queue.
3. Let the tile in inference finish if the time allows, else stop it at its next boundary.
4. What uploads, settles; at the deadline every lease that is left is freed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from consumer.lease import LeaseKeeper
from consumer.outcome import judge_interruption
from consumer.report import Reporter
from consumer.stages.settle import give_back
from consumer.work import UNCOMMITTED_HANDS, Stage, Work
from contract import log_lines
from contract.errors import LeaseLost, Stopped, StorageError
from contract.fleet_queues import FleetQueues

log = structlog.get_logger()

HAND_BACK_SECONDS = 5.0
"""Everything in hand is returned that long before the deadline."""
PARALLEL_RETURNS = 8
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Departure:
    """Why and by when the worker goes."""

    reason: str
    deadline: float | None
    """time.monotonic(); None: a drain, which finishes what it has."""
    is_eviction: bool


@dataclass(frozen=True, slots=True)
class Leaving:
    """Carries a departure out."""

    queues: FleetQueues
    keeper: LeaseKeeper
    reporter: Reporter
    worker: str
    expected_infer_seconds: Callable[[], float | None]
    """Median of what inference took; None before the first tile."""

    def leave(self, departure: Departure, has_ended: threading.Event) -> None:
        """Returns when nothing is held any more, or at the deadline."""
        log.info(log_lines.WORKER_LEAVING, reason=departure.reason, held=len(self.keeper.held()))
        self.free(UNCOMMITTED_HANDS, departure)
        while self.keeper.held() and not has_ended.is_set():
            if departure.deadline is not None:
                left_seconds = departure.deadline - HAND_BACK_SECONDS - time.monotonic()
                self._stop_hopeless(left_seconds, departure)
                if left_seconds <= 0:
                    break
            has_ended.wait(POLL_SECONDS)
        self.free(frozenset(Stage), departure)

    def free(self, stages: frozenset[Stage], departure: Departure) -> None:
        """Return the works that are in one of these stages, several at a time."""
        works = [work for work in self.keeper.held() if work.stage in stages]
        for work in works:
            work.end_early(Stopped(f"{work.tile_name}: {departure.reason}"))
        with ThreadPoolExecutor(PARALLEL_RETURNS, thread_name_prefix="hand-back") as pool:
            list(pool.map(lambda work: self._return(work, departure), works))

    def _return(self, work: Work, departure: Departure) -> None:
        if not work.claim():
            return  # its own thread settles it at this moment
        decision = judge_interruption(
            Stopped(f"{work.tile_name}: {departure.reason}"),
            work.message,
            attempt=work.attempt,
            worker=self.worker,
            is_evicted=departure.is_eviction,
        )
        self.keeper.release(work)
        try:
            give_back(self.queues, work, decision)
        except LeaseLost as error:
            log.info(log_lines.LEASE_LOST, tile=work.tile_name, reason=str(error))
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, tile=work.tile_name, reason=str(error))
        except Exception:
            # One tile's trouble must not keep the others; its lease runs out by itself.
            log.exception(log_lines.TILE_RETURNED, tile=work.tile_name)
        else:
            self.reporter.returned(work, decision)

    def _stop_hopeless(self, left_seconds: float, departure: Departure) -> None:
        """Stop an inference that cannot end in time: what its last seconds would give is lost anyway."""
        for work in self.keeper.held():
            is_inferred = work.stage is Stage.INFER and not work.stop.is_set()
            if is_inferred and self._remaining_seconds(work) > left_seconds:
                work.end_early(Stopped(f"{work.tile_name}: {departure.reason}, no time to finish"))

    def _remaining_seconds(self, work: Work) -> float:
        """From the share done where the recipe reports it, else from what tiles took before."""
        elapsed = time.monotonic() - work.stage_began
        if work.progress > 0:
            return elapsed * (1 - work.progress) / work.progress
        expected = self.expected_infer_seconds()
        return max(0.0, expected - elapsed) if expected is not None else 0.0
