"""One worker's life: receive while there is room, run the stages, leave in order. Every thread is named here.

main        receives, decides how many tiles to hold, watches for reasons to leave
download-N  commit check, imagery, preparation
infer-0     inference, one tile at a time
upload-N    artifacts, commit, publication, settling
leases      renews what makes progress
report      heartbeats and ledger
"""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from consumer.exit_codes import ExitCode
from consumer.lease import LeaseKeeper
from consumer.leaving import Departure, Leaving
from consumer.notices.halt_file import HaltFile
from consumer.notices.signals import SignalNotice
from consumer.pipeline import Pipeline, StageSpec
from consumer.prefetch import ByteBudget, StageTimes, stage_limit_seconds
from consumer.report import Reporter
from consumer.settings import Settings
from consumer.stages.infer import BusyShare
from consumer.stages.receive import ReceiveStage
from consumer.work import Stage, Work
from contract import log_lines
from contract.errors import StorageError
from contract.heartbeat import WorkerState

log = structlog.get_logger()

UPLOAD_THREADS = 2
FIRST_IDLE_SECONDS = 0.2
STORAGE_PAUSE_SECONDS = 2.0
UNTIL_EMPTY_CHECK_SECONDS = 3.0
JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Steps:
    """What the pipeline's threads run; made in wiring.py."""

    download: Callable[[Work], None]
    infer: Callable[[Work], None]
    upload: Callable[[Work], None]
    settle: Callable[[Work], None]


@dataclass
class SharedState:
    """What the parts of a worker share; made before them."""

    settings: Settings
    leaving: threading.Event = field(default_factory=threading.Event)
    is_evicted: threading.Event = field(default_factory=threading.Event)
    wake: threading.Condition = field(default_factory=threading.Condition)
    times: StageTimes = field(default_factory=StageTimes)
    stage_seconds: dict[Stage, list[float]] = field(default_factory=dict)
    busy: BusyShare = field(default_factory=BusyShare)
    unfit: str = ""
    stuck: str = ""
    departure: str = ""
    settled: int = 0

    def on_unfit(self, reason: str) -> None:
        """Take nothing more: this machine fails tiles."""
        self.unfit = self.unfit or reason
        self._notify()

    def on_stuck(self, work: Work, reason: str) -> None:
        log.error(log_lines.WORKER_STUCK, tile=work.tile_name, reason=reason)
        self.stuck = self.stuck or f"{work.tile_name}: {reason}"
        self._notify()

    def on_settled(self, work: Work) -> None:
        """Learn from a work that ended, and make room for the next."""
        if work.error is None and Stage.INFER in work.seconds:
            infer = work.seconds[Stage.INFER]
            outside = sum(seconds for stage, seconds in work.seconds.items() if stage is not Stage.INFER)
            self.times.add(outside_seconds=outside, infer_seconds=infer)
            for stage, seconds in work.seconds.items():
                self.stage_seconds.setdefault(stage, []).append(seconds)
        self.settled += 1
        self._notify()

    def why_leaving(self) -> tuple[WorkerState | None, str]:
        """What the heartbeat says of a worker that goes; (None, "") while it works."""
        if self.unfit:
            return WorkerState.UNFIT, self.unfit
        return (WorkerState.LEAVING, self.departure) if self.departure else (None, "")

    def limit_seconds(self, stage: Stage) -> float:
        """How long a stage may go without progress; waiting stages may for ever."""
        floors = {
            Stage.DOWNLOAD: self.settings.download_limit_seconds,
            Stage.PREPARE: self.settings.download_limit_seconds,
            Stage.INFER: self.settings.infer_limit_seconds,
            Stage.UPLOAD: self.settings.upload_limit_seconds,
            Stage.SETTLE: self.settings.upload_limit_seconds,
        }
        if stage not in floors:
            return float("inf")
        return stage_limit_seconds(self.stage_seconds.get(stage, [])[-200:], floor_seconds=floors[stage])

    def expected_infer_seconds(self) -> float | None:
        return statistics.median(self.times.infer) if self.times.infer else None

    def _notify(self) -> None:
        with self.wake:
            self.wake.notify_all()


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
        signals: SignalNotice,
        is_finished: Callable[[], bool] | None,
        most_received: int | None = None,
    ) -> None:
        self._state = state
        self._receive = receive
        self._keeper = keeper
        self._budget = budget
        self._reporter = reporter
        self._leaving = leaving
        self._signals = signals
        self._halt = HaltFile(state.settings.halt_file)
        self._is_finished = is_finished
        self._left_to_receive = most_received
        self._parked: deque[Work] = deque()
        self._wanted = 0
        most = state.settings.most_tiles
        self._pipeline: Pipeline[Work] = Pipeline(
            [
                StageSpec("download", steps.download, threads=most, waiting=most),
                StageSpec("infer", steps.infer, threads=1, waiting=most),
                StageSpec("upload", steps.upload, threads=UPLOAD_THREADS, waiting=most),
                StageSpec("settle", steps.settle, threads=UPLOAD_THREADS, waiting=most, always=True),
            ],
            has_failed=lambda work: work.error is not None,
            failed=_note_error,
        )

    def run(self) -> ExitCode:
        """Work until done, told to go, unfit or stuck; then leave in order."""
        side = self._start_side_threads()
        self._pipeline.start()
        try:
            departure = self._receive_until_departure()
            self._state.departure = departure.reason
            self._state.leaving.set()
            self._reporter.wake()
            self._pipeline.close()
            if not self._state.stuck:
                self._leaving.leave(departure, self._pipeline.has_ended)
                self._pipeline.join(JOIN_SECONDS)
        finally:
            self._stop_side_threads(side)
        code = self._exit_code()
        log.info(
            log_lines.WORKER_ENDED,
            reason=departure.reason,
            code=code.name.lower(),
            settled=self._state.settled,
            inference_busy=round(self._state.busy.share or 0.0, 3),
            most_inferences_at_once=self._state.busy.most_running,
            most_reserved_bytes=self._budget.most_bytes,
        )
        return code

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
            for work in works:
                if work.is_solo:
                    self._parked.append(work)
                else:
                    self._pipeline.submit(work)
            if works:
                idle_seconds = FIRST_IDLE_SECONDS
            elif not self._keeper.held() and self._is_finished is not None and self._is_finished():
                return Departure("nothing left to do", None, is_eviction=False)
            else:
                self._wait(idle_seconds)
                idle_seconds = min(idle_seconds * 2, self._state.settings.idle_poll_seconds)

    def _run_parked(self) -> None:
        """A suspect runs alone: it waits, under its lease, until nothing else is held."""
        held = self._keeper.held()
        if self._parked and all(work in self._parked for work in held):
            self._pipeline.submit(self._parked.popleft())

    def _receive_some(self, room: int) -> list[Work]:
        try:
            works = self._receive.receive(room)
            if self._left_to_receive is not None:
                self._left_to_receive -= len(works)
            return works
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            self._wait(STORAGE_PAUSE_SECONDS)
            return []

    def _room(self) -> int:
        """How many more tiles to receive now."""
        held = self._keeper.held()
        if any(work.is_solo for work in held):
            return 0
        wanted = self._state.times.wanted(most=self._state.settings.most_tiles)
        if wanted != self._wanted:
            log.info(log_lines.IN_FLIGHT_CHANGED, before=self._wanted, now=wanted)
            self._wanted = wanted
        room = wanted - len(held)
        return room if self._left_to_receive is None else min(room, self._left_to_receive)

    def _departure(self) -> Departure | None:
        """The first reason to go, if there is one."""
        deadline = time.monotonic() + self._state.settings.grace_seconds
        if self._halt.is_there():
            self._state.is_evicted.set()
            return Departure("halt file", deadline, is_eviction=True)
        for reason in (
            self._state.unfit and f"unfit: {self._state.unfit}",
            self._state.stuck and f"stuck: {self._state.stuck}",
            self._pipeline.fatal is not None and f"a thread died: {self._pipeline.fatal!r}",
            self._signals.is_set.is_set() and self._signals.name,
        ):
            if reason:
                return Departure(reason, deadline, is_eviction=False)
        if self._left_to_receive == 0 and not self._keeper.held():
            return Departure("did what was asked", None, is_eviction=False)
        return None

    def _wait(self, seconds: float) -> None:
        """Until something settled, something went wrong, or the time is over; a signal is seen in between."""
        deadline = time.monotonic() + seconds
        with self._state.wake:
            while (left := deadline - time.monotonic()) > 0:
                if self._signals.is_set.is_set() or self._halt.is_there():
                    return
                if self._state.wake.wait(min(left, 0.25)):
                    return

    def _start_side_threads(self) -> list[tuple[threading.Thread, threading.Event]]:
        side = []
        for name, body in (("leases", self._keeper.run), ("report", self._reporter.run)):
            stop = threading.Event()
            thread = threading.Thread(target=self._supervised, args=(body, stop), name=name, daemon=True)
            thread.start()
            side.append((thread, stop))
        return side

    def _supervised(self, body: Callable[[threading.Event], None], stop: threading.Event) -> None:
        """A side thread that dies ends the worker: leases that nobody renews are no leases."""
        try:
            body(stop)
        except Exception as error:
            log.exception("a side thread died", thread=threading.current_thread().name)
            self._pipeline.fatal = self._pipeline.fatal or error

    def _stop_side_threads(self, side: list[tuple[threading.Thread, threading.Event]]) -> None:
        for _, stop in side:
            stop.set()
        self._reporter.wake()
        for thread, _ in side:
            thread.join(JOIN_SECONDS)

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
