"""Leaving: what is handed back, finished or given up, in which order, when the worker must go (design section 5).

1. Stop receiving (the caller has done that).
2. Free every lease that is not being inferred or uploaded, at once: evicted ones to the urgent queue.
3. Let the tile in inference finish if the time allows, else stop it at its next boundary, early enough for
   its checkpoint to be stored before its message is visible.
4. What uploads, settles; five seconds before the deadline every lease that is left is freed.

News that come meanwhile are obeyed: a drain may last for hours, and the cloud does not wait for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog

from consumer.checkpoints.due import remaining_seconds
from consumer.departure import Departure, soonest
from consumer.lease import LeaseKeeper
from consumer.outcome import Poison, Return, judge
from consumer.report import Reporter
from consumer.stages.settle import give_back
from consumer.work import UNCOMMITTED_HANDS, Stage, Work
from contract import log_lines
from contract.errors import LeaseLost, Stopped, StorageError
from contract.fleet_queues import FleetQueues

log = structlog.get_logger()

HAND_BACK_SECONDS = 5.0
"""Everything in hand is returned that long before the deadline."""
MOVE_NEEDS_SECONDS = 3.0
"""A move to the urgent queue takes three requests, one after the other, of up to half a second and a retry.
With less time left a tile becomes visible where it is, by the first of them alone."""
PARALLEL_RETURNS = 32
"""As many as a worker may hold: with answers after half a second, each in its turn would take a minute."""
POLL_SECONDS = 0.1


def no_checkpoint(_work: Work) -> float:
    """Nothing is saved, which takes no time."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Leaving:
    """Carries a departure out."""

    queues: FleetQueues
    keeper: LeaseKeeper
    reporter: Reporter
    worker: str
    expected_infer_seconds: Callable[[], float | None]
    """Median of what inference took; None before the first tile."""

    checkpoint_seconds: Callable[[Work], float] = no_checkpoint
    """From asking a tile in inference to stop until its checkpoint is stored."""

    def leave(
        self,
        departure: Departure,
        has_ended: threading.Event,
        news: Callable[[], Departure | None] = lambda: None,
    ) -> Departure:
        """Returns when nothing is held any more, or at the deadline: the departure that was obeyed in the end.

        `news` tells what else asks us to go by now: an eviction during a drain, a nearer deadline.
        """
        self._announce(departure)
        self.free(UNCOMMITTED_HANDS, departure)
        while self.keeper.held() and not has_ended.is_set():
            newest = soonest([departure, news()]) or departure
            if newest != departure:
                departure = newest
                self._announce(departure)
            if departure.deadline is not None:
                left_seconds = departure.deadline - HAND_BACK_SECONDS - time.monotonic()
                self._stop_hopeless(left_seconds, departure)
                if left_seconds <= 0:
                    break
            has_ended.wait(POLL_SECONDS)
        self.free(frozenset(Stage), departure)
        return departure

    def free_when_told(self, told: Callable[[], Departure | None], stop: threading.Event) -> None:
        """A thread's body: step 2, for a main thread that waits for the answers of a slow storage meanwhile.
        What that one still receives is freed by `leave`."""
        while not stop.wait(POLL_SECONDS):
            departure = told()
            if departure is not None:
                self.free(UNCOMMITTED_HANDS, departure)
                return

    def free(self, stages: frozenset[Stage], departure: Departure) -> None:
        """Return the works that are in one of these stages, several at a time."""
        works = [work for work in self.keeper.held() if work.stage in stages or work.is_second]
        for work in works:
            work.end_early(Stopped(f"{work.tile_name}: {departure.reason}"))
        if not works:
            return
        with ThreadPoolExecutor(min(len(works), PARALLEL_RETURNS), thread_name_prefix="hand-back") as pool:
            list(pool.map(lambda work: self._return(work, departure), works))

    def _announce(self, departure: Departure) -> None:
        log.info(log_lines.WORKER_LEAVING, reason=departure.reason, held=len(self.keeper.held()))
        if departure.is_eviction:
            self.reporter.evicted(departure.reason)

    def _return(self, work: Work, departure: Departure) -> None:
        if not work.claim():
            return  # its own thread settles it at this moment
        self.keeper.release(work)
        if work.is_second:
            self.reporter.second_attempt_ended(work, departure.reason)
            return
        try:
            decision = _in_time(self._judge(work, departure), departure, time.monotonic())
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

    def _judge(self, work: Work, departure: Departure) -> Return:
        """Uncharged, but for the tile with which this machine fell and which hangs in it: that is noted."""
        stopped = Stopped(f"{work.tile_name}: {departure.reason}")
        ended_by = work.ended_by(stopped)
        decision = judge(
            # An attempt that is only late still holds its message: whoever gets that finds the commit.
            stopped if isinstance(ended_by, LeaseLost) else ended_by,
            work.message,
            attempt=work.attempt,
            worker=self.worker,
            is_evicted=departure.is_eviction,
        )
        if isinstance(decision, Return):
            return decision
        if isinstance(decision, Poison):  # whoever gets it next finds so many workers harmed on it
            return Return(decision.message, decision.cause, 0, to_urgent=False, reason=decision.reason)
        raise AssertionError("a stopped attempt is put back")

    def _stop_hopeless(self, left_seconds: float, departure: Departure) -> None:
        """Stop an inference that cannot end in time: what its last seconds would give is lost anyway."""
        for work in self.keeper.held():
            is_inferred = work.stage is Stage.INFER and not work.stop.is_set()
            if is_inferred and self._remaining_seconds(work) > left_seconds - self.checkpoint_seconds(work):
                work.save_by = _store_by(departure)
                work.end_early(Stopped(f"{work.tile_name}: {departure.reason}, no time to finish"))

    def _remaining_seconds(self, work: Work) -> float:
        """From the share done where the recipe reports it, else from what tiles took before."""
        elapsed = time.monotonic() - work.stage_began
        median = self.expected_infer_seconds()
        return remaining_seconds(median, elapsed, progress=work.progress, gained=work.gained)


def _store_by(departure: Departure) -> float | None:
    """By when a checkpoint must be stored: its tile is still to be moved, and that long before the deadline."""
    if departure.deadline is None:
        return None
    return departure.deadline - HAND_BACK_SECONDS - MOVE_NEEDS_SECONDS


def _in_time(decision: Return, departure: Departure, now: float) -> Return:
    """The same, but left in its own queue when there is no time to move it."""
    if departure.deadline is None or departure.deadline - now >= MOVE_NEEDS_SECONDS:
        return decision
    return replace(decision, to_urgent=False)
