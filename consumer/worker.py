"""One worker's life: receive while there is room, run the stages, leave in order. Every thread is named here.

main        receives, decides how many tiles to hold, watches for reasons to leave
download-N  commit check, imagery, preparation
infer-0     inference, one tile at a time
upload-N    artifacts, commit, publication, settling
leases      renews what makes progress
report      heartbeats and ledger
health      whether this machine is still fit
drain       asks whether an operator wants this machine drained
intake      asks whether the controller wants anybody to take tiles now
cancelled   stops what is in hand of a cancelled job
release     frees what is not inferred or uploaded, as soon as there is a reason to go
last-resort ends the process when leaving takes too long
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from consumer.departure import Departure
from consumer.exit_codes import ExitCode
from consumer.last_resort import LastResort, end_process
from consumer.lease import LeaseKeeper
from consumer.leaving import HAND_BACK_SECONDS, Leaving
from consumer.orders import Orders
from consumer.pipeline import Pipeline, StageSpec
from consumer.prefetch import ByteBudget
from consumer.receiving import Receiving
from consumer.report import Reporter
from consumer.shared_state import SharedState
from consumer.side_threads import JOIN_SECONDS, Body, SideThreads
from consumer.steps import Steps
from consumer.work import Work
from contract import log_lines
from contract.errors import BadInput

log = structlog.get_logger()

UPLOAD_THREADS = 2
GOODBYE_SECONDS = 2.0
"""Kept for the last heartbeat and the last ledger lines."""


class Worker:
    """Receives and runs tiles until there is a reason to go."""

    def __init__(
        self,
        state: SharedState,
        *,
        receiving: Receiving,
        steps: Steps,
        keeper: LeaseKeeper,
        budget: ByteBudget,
        reporter: Reporter,
        leaving: Leaving,
        watches: Mapping[str, Body],
        guards: Mapping[str, Body],
        told: Sequence[Callable[[], Departure | None]],
        end_process: Callable[[int], None] = end_process,
    ) -> None:
        """`watches`: threads that look at something outside, by their names, until we go. `guards`: the same for what
        may end a tile in hand; a drain may last for hours, so they look until its last tile is settled. `told`:
        what asks us to go, each of which says at once what it heard so far."""
        self._state = state
        self._receiving = receiving
        self._keeper = keeper
        self._budget = budget
        self._reporter = reporter
        self._leaving = leaving
        self._watches = watches
        self._guards = guards
        self._is_leaving = threading.Event()
        self._is_unguarded = threading.Event()
        self._side = SideThreads(self._on_side_thread_died)
        self._first_release: threading.Thread | None = None
        self._orders = Orders([*told, self._trouble])
        self._end_process = end_process
        self._last_resort = LastResort(self._orders.latest_end, self._end_at_once)
        most = state.settings.most_tiles
        self._pipeline: Pipeline[Work] = Pipeline(
            [
                # Room for all tiles and the marks that end the threads: the main thread never waits here.
                StageSpec("download", steps.fetch, threads=most, waiting=2 * most),
                StageSpec("infer", steps.infer, threads=1, waiting=most),
                StageSpec("upload", steps.upload, threads=UPLOAD_THREADS, waiting=most),
                StageSpec("settle", steps.settle, threads=UPLOAD_THREADS, waiting=most, always=True),
            ],
            has_failed=lambda work: work.error is not None,
            failed=_note_error,
        )

    def run(self) -> ExitCode:
        """Work until done, told to go, unfit or stuck; then leave in order. BadInput after leaving."""
        self._start_side_threads()
        self._pipeline.start()
        mistake: BadInput | None = None
        try:
            departure = self._receiving.until_departure(self._told, self._pipeline.submit)
        except BadInput as error:
            mistake, departure = error, self._orders.add(Departure(str(error), None, is_eviction=False))
        except Exception as error:  # noqa: BLE001 - whatever it is: leave in order, then say it
            self._pipeline.fatal = self._pipeline.fatal or error
            departure = self._told() or Departure("the main thread died", None, is_eviction=False)
        departure = self._leave(departure)
        self._side.stop(self._wake_side_threads)
        code = self._exit_code()
        self._log_end(departure, code)
        if mistake is not None:
            raise mistake
        return code

    def _leave(self, departure: Departure) -> Departure:
        """Hand back or finish what is in hand, then let the threads end. Returns what was obeyed in the end."""
        state = self._state
        state.departure = departure.reason
        self._is_leaving.set()
        if self._first_release is not None:
            self._first_release.join(HAND_BACK_SECONDS)  # what it began to free must not be cut off
        if self._pipeline.fatal is not None:
            log.error(log_lines.WORKER_LEAVING, reason=departure.reason, exc_info=self._pipeline.fatal)
        self._reporter.wake()
        self._pipeline.close()
        try:
            departure = self._leaving.leave(departure, self._pipeline.has_ended, self._told)
            state.departure = departure.reason
        except Exception:
            log.exception(log_lines.WORKER_LEAVING, reason="leaving in order failed, leases run out instead")
        self._is_unguarded.set()
        if not state.stuck:
            self._pipeline.join(self._join_seconds(departure))
        return departure

    def _join_seconds(self, departure: Departure) -> float:
        """How long to wait for threads that settle at this moment, and still say goodbye in time."""
        if departure.deadline is None:
            return JOIN_SECONDS
        return max(0.0, min(JOIN_SECONDS, departure.deadline - GOODBYE_SECONDS - time.monotonic()))

    def _told(self) -> Departure | None:
        """What others or our own trouble ask of us; any thread may look."""
        departure = self._orders.look()
        if departure is not None and departure.is_eviction:
            self._is_unguarded.set()  # seconds are left, and a machine that goes loses its disk by right
            self._state.is_evicted.set()
        return departure

    def _trouble(self) -> Departure | None:
        """What is wrong with this worker itself, if anything is."""
        if self._state.unfit:
            reason = f"unfit: {self._state.unfit}"
        elif self._state.stuck:
            reason = f"stuck: {self._state.stuck}"
        elif self._pipeline.fatal is not None:
            reason = f"a thread died: {self._pipeline.fatal!r}"
        else:
            return None
        grace_ends = time.monotonic() + self._state.settings.grace_seconds
        return Departure(reason, grace_ends, is_eviction=False)

    def _end_at_once(self) -> None:
        self._end_process(self._exit_code())

    def _start_side_threads(self) -> None:
        """Those that are waited for are stopped in this order."""
        self._side.start("leases", self._keeper.run)
        self._side.start("report", self._reporter.run)
        self._side.start("last-resort", self._last_resort.run)
        for name, watch in self._watches.items():
            self._side.start_watch(name, watch, self._is_leaving)
        for name, guard in self._guards.items():
            self._side.start_watch(name, guard, self._is_unguarded)
        self._first_release = self._side.start_apart("release", self._free_early, self._is_leaving)

    def _free_early(self, stop: threading.Event) -> None:
        """Free what is not inferred or uploaded although the main thread may wait for a storage's answers."""
        self._leaving.free_when_told(self._told, stop)

    def _on_side_thread_died(self, error: BaseException) -> None:
        self._pipeline.fatal = self._pipeline.fatal or error

    def _wake_side_threads(self) -> None:
        self._keeper.wake()
        self._reporter.wake()

    def _log_end(self, departure: Departure, code: ExitCode) -> None:
        log.info(
            log_lines.WORKER_ENDED,
            reason=departure.reason,
            code=code.name.lower(),
            settled=self._state.settled,
            inference_busy=round(self._state.busy.share or 0.0, 3),
            most_inferences_at_once=self._state.busy.most_running,
            most_reserved_bytes=self._budget.most_bytes,
        )

    def _exit_code(self) -> ExitCode:
        state = self._state
        if state.unfit:
            return ExitCode.UNFIT
        if state.stuck:
            return ExitCode.STUCK
        if self._pipeline.fatal is not None:
            return ExitCode.FAULT
        return ExitCode.EVICTED if state.is_evicted.is_set() else ExitCode.DONE


def _note_error(work: Work, error: BaseException) -> None:
    work.error = error
