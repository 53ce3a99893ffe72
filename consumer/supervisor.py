"""One process per slot, each lost alone: starts them, passes notices and signals on, says how each died.

A single thread that looks around several times a second. It holds no tile and waits for nobody, so that hardly
anything can end it; whatever this machine is told by the cloud (a notice, heard by a poller beside it) or by people
(a signal, a halt file) it hears once for all slots.
"""

from __future__ import annotations

import math
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import structlog

from consumer.departure import Departure
from consumer.exit_codes import ExitCode
from consumer.leaving import HAND_BACK_SECONDS
from consumer.notices.halt_file import write_halt_file
from consumer.notices.signals import SignalNotice
from consumer.slot_deaths import Restart, StayDown, describe, judge_death, worst
from consumer.slot_life import SHOW_SECONDS, SILENT_SECONDS, LifeLine
from consumer.slot_process import SlotProcess, halt_file
from consumer.slots import Slot

log = structlog.get_logger()

SLOT_STARTED = "slot started"
SLOT_ENDED = "slot ended"
SLOT_SILENT = "slot silent"
SUPERVISOR_LEAVING = "supervisor leaving"
SUPERVISOR_ENDED = "supervisor ended"

LOOK_SECONDS = 0.2
STOOD_STILL_SECONDS = 5.0
"""A look that comes so late: this process was stopped or starved, and so may its slots have been."""
KILL_AFTER_GRACE_SECONDS = 10.0
"""A slot keeps its own deadline; one that is still there so long after it is killed. None in a drain."""

Start = Callable[[Slot, str], SlotProcess]
"""The slot, and the address to which it shows life."""
Notice = Callable[[], Departure | None]
"""Why and by when this machine's slots are to leave; None while they are not. Answers at once."""


@dataclass
class Seat:
    """One slot over all its processes."""

    slot: Slot
    scratch: Path
    life: LifeLine
    process: SlotProcess | None = None
    deaths: list[float] = field(default_factory=list)
    """time.monotonic() of each."""
    restart_at: float | None = None
    status: int = ExitCode.DONE
    """Of its latest process."""

    @property
    def is_over(self) -> bool:
        return self.process is None and self.restart_at is None


class Supervisor:
    """Runs until no slot runs and none is to be started again."""

    def __init__(
        self,
        slots: Sequence[Slot],
        start: Start,
        *,
        scratch: Callable[[Slot], Path],
        kill_seconds: float,
        signals: SignalNotice,
        notice: Notice,
        errors: BinaryIO | None = None,
        show_life: Callable[[], None] = lambda: None,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        """`start` may raise OSError. `scratch`: each slot's own folder. `kill_seconds`: from a signal to the end
        of whoever is still there. `errors`: where the slots' log lines go; standard error. `show_life`: to whoever
        watches us. `silent_seconds`: after which a slot that showed life is killed."""
        self._seats = [Seat(slot, scratch(slot), LifeLine(slot.number)) for slot in slots]
        self._show_life = show_life
        self._silent_seconds = silent_seconds
        self._looked_at = time.monotonic()
        self._showed_at = float("-inf")
        self._start_process = start
        self._kill_seconds = kill_seconds
        self._signals = signals
        self._notice = notice
        self._errors = errors or sys.stderr.buffer
        self._is_leaving = False
        self._kill_at = math.inf
        self._obeyed: Departure | None = None
        self._is_signalled = False
        self._selector = selectors.DefaultSelector()

    def run(self) -> ExitCode:
        """The gravest end of all slots (slot_deaths.SEVERITY)."""
        try:
            for seat in self._seats:
                self._start(seat)
            while not all(seat.is_over for seat in self._seats):
                self._pass_on_departures()
                self._relay_and_reap()
                self._restart_due()
                self._kill_late()
                self._watch_life()
        finally:
            self._let_go()
        code = worst(seat.status for seat in self._seats)
        log.info(SUPERVISOR_ENDED, code=code.name.lower(), slots=[describe(s.status) for s in self._seats])
        return code

    def _start(self, seat: Seat) -> None:
        seat.restart_at = None
        try:
            seat.scratch.mkdir(parents=True, exist_ok=True)
            halt_file(seat.scratch).unlink(missing_ok=True)
            seat.life.forget()
            seat.process = process = self._start_process(seat.slot, seat.life.address)
        except OSError as error:
            seat.status = ExitCode.FAULT
            self._judge(seat, f"could not be started: {error}", [])
            return
        self._selector.register(process.errors, selectors.EVENT_READ)
        self._selector.register(process.pid_handle, selectors.EVENT_READ)
        log.info(
            SLOT_STARTED,
            slot=seat.slot.number,
            pid=process.pid,
            cores=list(seat.slot.cores),
            gpu=seat.slot.gpu,
            memory_bytes=seat.slot.memory_bytes,
            deaths=len(seat.deaths),
        )

    def _pass_on_departures(self) -> None:
        told = self._notice()
        if told is not None and told != self._obeyed:
            self._obeyed = told
            self._leave(told.reason, _kill_time(told))
            for seat, running in self._running():
                try:
                    write_halt_file(halt_file(seat.scratch), told)
                except OSError:  # a disk that is full or gone: leaving by signal is better than not at all
                    running.process.terminate()
        if not self._is_signalled and self._signals.is_set:
            self._is_signalled = True
            self._leave(self._signals.name, time.monotonic() + self._kill_seconds)
            for _, running in self._running():
                running.process.send_signal(signal.Signals[self._signals.name])

    def _leave(self, reason: str, kill_at: float) -> None:
        """Nobody is started again, and nobody stays past his time."""
        log.info(SUPERVISOR_LEAVING, reason=reason, running=len(self._running()))
        self._kill_at = min(kill_at, self._kill_at)
        self._is_leaving = True
        for seat in self._seats:
            seat.restart_at = None

    def _relay_and_reap(self) -> None:
        ready = {key.fd for key, _ in self._selector.select(LOOK_SECONDS)}
        for seat, running in self._running():
            if running.errors in ready:
                running.relay(self._errors)
            if running.pid_handle in ready:
                self._bury(seat, running)

    def _bury(self, seat: Seat, process: SlotProcess) -> None:
        """A process ended."""
        self._selector.unregister(process.errors)
        self._selector.unregister(process.pid_handle)
        seat.process, seat.status = None, process.end(self._errors)
        ended = describe(seat.status)
        if self._is_signalled and seat.status == -signal.Signals[self._signals.name]:
            seat.status = ExitCode.DONE  # told to go before it was far enough to listen; it held nothing yet
        self._judge(seat, ended, list(process.last_lines))

    def _judge(self, seat: Seat, ended: str, last_lines: list[str]) -> None:
        """Say how a slot ended, and decide what becomes of it."""
        now = time.monotonic()
        judged = judge_death(seat.status, seat.deaths, now)
        facts = {"slot": seat.slot.number, "ended": ended, "reason": judged.reason}
        if isinstance(judged, StayDown) and not judged.is_fault:
            log.info(SLOT_ENDED, **facts)
            return
        then = "stays down"
        if isinstance(judged, Restart):
            seat.deaths.append(now)
            if not self._is_leaving:
                seat.restart_at = now + judged.pause_seconds
                then = f"starts again in {judged.pause_seconds:g} s"
        log.error(SLOT_ENDED, **facts, then=then, last_lines=last_lines)

    def _restart_due(self) -> None:
        for seat in self._seats:
            if seat.restart_at is not None and time.monotonic() >= seat.restart_at:
                self._start(seat)

    def _kill_late(self) -> None:
        if time.monotonic() < self._kill_at:
            return
        for _, running in self._running():
            running.signal(signal.SIGKILL)

    def _watch_life(self) -> None:
        """Kill slots that hang as a whole, and show that we do not."""
        now = time.monotonic()
        paused, self._looked_at = now - self._looked_at, now
        for seat, running in self._running():
            if paused > STOOD_STILL_SECONDS:
                seat.life.forgive(paused)
            seat.life.hear(now)
            if seat.life.is_silent(now, self._silent_seconds):
                log.error(
                    SLOT_SILENT, slot=seat.slot.number, then="it is killed", seconds=self._silent_seconds
                )
                seat.life.last_sign = None
                running.signal(signal.SIGKILL)
        if now - self._showed_at >= SHOW_SECONDS:
            self._showed_at = now
            self._show_life()

    def _running(self) -> list[tuple[Seat, SlotProcess]]:
        return [(seat, seat.process) for seat in self._seats if seat.process is not None]

    def _let_go(self) -> None:
        """After a fault of our own some may still run: they leave in order, nothing outlives us for long."""
        for _, running in self._running():
            running.process.terminate()
        self._selector.close()
        for seat in self._seats:
            seat.life.close()


def _kill_time(departure: Departure) -> float:
    """When a slot that was to leave so, and stayed, is killed."""
    if departure.deadline is None:
        return math.inf
    return max(departure.deadline, time.monotonic() + HAND_BACK_SECONDS) + KILL_AFTER_GRACE_SECONDS
