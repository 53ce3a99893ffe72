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
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from consumer.cancelled import CancelledWork
from consumer.departure import Departure
from consumer.exit_codes import ExitCode
from consumer.health import HealthWatch
from consumer.intake import IntakeWatch
from consumer.last_resort import LastResort, end_process
from consumer.lease import LeaseKeeper
from consumer.leaving import HAND_BACK_SECONDS, Leaving
from consumer.notices.drain_request import DrainRequest
from consumer.orders import Orders
from consumer.pipeline import Pipeline, StageSpec
from consumer.prefetch import ByteBudget
from consumer.report import Reporter
from consumer.second_attempts import SecondAttempts
from consumer.shared_state import SharedState
from consumer.side_threads import JOIN_SECONDS, SideThreads
from consumer.stages.receive import ReceiveStage
from consumer.steps import Steps
from consumer.work import Work
from contract import log_lines
from contract.errors import BadInput, StorageError

log = structlog.get_logger()

UPLOAD_THREADS = 2
FIRST_IDLE_SECONDS = 0.2
STORAGE_PAUSE_SECONDS = 2.0
UNTIL_EMPTY_CHECK_SECONDS = 3.0
GOODBYE_SECONDS = 2.0
"""Kept for the last heartbeat and the last ledger lines."""
NOTICE_SECONDS = 0.25
"""How late a signal, a halt file or a dead thread may be noticed."""


class Worker:
    """Receives and runs tiles until there is a reason to go."""

    def __init__(
        self,
        state: SharedState,
        *,
        receive: ReceiveStage,
        steps: Steps,
        keeper: LeaseKeeper,
        budget: ByteBudget,
        reporter: Reporter,
        leaving: Leaving,
        health: HealthWatch,
        cancelled: CancelledWork,
        second_attempts: SecondAttempts,
        drain: DrainRequest,
        intake: IntakeWatch,
        told: Sequence[Callable[[], Departure | None]],
        is_finished: Callable[[], bool] | None,
        most_received: int | None = None,
        end_process: Callable[[int], None] = end_process,
    ) -> None:
        """`told`: signals, halt file, the cloud: each says what it asks of us so far, at once."""
        self._state = state
        self._receive = receive
        self._keeper = keeper
        self._budget = budget
        self._reporter = reporter
        self._leaving = leaving
        self._health = health
        self._cancelled = cancelled
        self._second_attempts = second_attempts
        self._is_leaving = threading.Event()
        self._side = SideThreads(self._on_side_thread_died)
        self._first_release: threading.Thread | None = None
        self._drain = drain
        self._intake = intake
        self._orders = Orders([*told, drain.look, self._trouble])
        self._is_finished = is_finished
        self._left_to_receive = most_received
        self._parked: deque[Work] = deque()
        self._wanted = 0
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
            departure = self._receive_until_departure()
        except BadInput as error:
            mistake, departure = error, self._orders.add(Departure(str(error), None, is_eviction=False))
        except Exception as error:  # noqa: BLE001 - whatever it is: leave in order, then say it
            self._pipeline.fatal = self._pipeline.fatal or error
            departure = self._departure() or Departure("the main thread died", None, is_eviction=False)
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
        if not state.stuck:
            self._pipeline.join(self._join_seconds(departure))
        return departure

    def _join_seconds(self, departure: Departure) -> float:
        """How long to wait for threads that settle at this moment, and still say goodbye in time."""
        if departure.deadline is None:
            return JOIN_SECONDS
        return max(0.0, min(JOIN_SECONDS, departure.deadline - GOODBYE_SECONDS - time.monotonic()))

    def _receive_until_departure(self) -> Departure:
        idle_seconds = FIRST_IDLE_SECONDS
        while True:
            departure = self._departure()
            if departure is not None:
                return departure
            self._run_parked()
            room = self._room()
            if room <= 0:
                self._wait(1.0)
                continue
            works = self._receive_some(room)
            if works:
                idle_seconds = FIRST_IDLE_SECONDS
            elif self._receive.is_clearing:
                continue
            elif self._take_from_tail():
                idle_seconds = FIRST_IDLE_SECONDS
            elif self._has_nothing_left():
                return Departure("nothing left to do", None, is_eviction=False)
            else:
                self._wait(idle_seconds)
                idle_seconds = min(idle_seconds * 2, self._state.settings.idle_poll_seconds)

    def _run_parked(self) -> None:
        """A suspect runs alone: it waits, under its lease, until nothing else is in hand."""
        if self._parked and all(work in self._parked for work in self._state.in_hand()):
            self._pipeline.submit(self._parked.popleft())

    def _receive_some(self, room: int) -> list[Work]:
        try:
            works = self._receive.receive(room)
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            self._wait(STORAGE_PAUSE_SECONDS)
            return []
        if self._left_to_receive is not None:
            self._left_to_receive -= len(works)
        for work in works:
            self._state.on_received(work)
            if work.is_solo:
                self._parked.append(work)
            else:
                self._pipeline.submit(work)
        return works

    def _take_from_tail(self) -> bool:
        """Idle, and the queues show nothing: try a tile that somebody else is slow with, too."""
        if self._left_to_receive is not None:
            return False
        if self._state.in_hand():
            self._second_attempts.end_if_done()
            return False
        work = self._second_attempts.take()
        if work is None:
            return False
        self._state.on_received(work)
        self._pipeline.submit(work)
        return True

    def _has_nothing_left(self) -> bool:
        if self._is_finished is None or self._state.in_hand():
            return False
        try:
            return self._is_finished()
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            return False

    def _room(self) -> int:
        """How many more tiles to receive now."""
        in_hand = self._state.in_hand()
        if any(work.is_solo for work in in_hand):
            return 0
        wanted = self._state.wanted_tiles()
        if wanted != self._wanted:
            log.info(log_lines.IN_FLIGHT_CHANGED, before=self._wanted, now=wanted)
            self._wanted = wanted
        room = self._intake.room(wanted - len(in_hand), len(in_hand))
        return room if self._left_to_receive is None else min(room, self._left_to_receive)

    def _told(self) -> Departure | None:
        """What others or our own trouble ask of us; any thread may look."""
        departure = self._orders.look()
        if departure is not None and departure.is_eviction:
            self._state.is_evicted.set()
        return departure

    def _departure(self) -> Departure | None:
        """The departure to obey, if there is a reason to go. The main thread's: it alone knows what it received."""
        departure = self._told()
        if departure is None and self._left_to_receive == 0 and not self._state.in_hand():
            return Departure("did what was asked", None, is_eviction=False)
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

    def _wait(self, seconds: float) -> None:
        """Until something settled or the time is over; a reason to go is seen in between."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._orders.look() is not None:
                return
            with self._state.wake:
                if self._state.wake.wait(min(left, NOTICE_SECONDS)):
                    return

    def _start_side_threads(self) -> None:
        """Those that are waited for are stopped in this order."""
        self._side.start("leases", self._keeper.run)
        self._side.start("report", self._reporter.run)
        self._side.start("last-resort", self._last_resort.run)
        self._side.start_apart("health", self._health.run, self._is_leaving)
        self._side.start_apart("drain", self._drain.run, self._is_leaving)
        self._side.start_apart("intake", self._intake.run, self._is_leaving)
        self._side.start_apart("cancelled", self._cancelled.run, self._is_leaving)
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
