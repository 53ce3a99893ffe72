"""What a worker's main thread does until there is a reason to go: it takes as many tiles as there is room for, off
the queues or, where those show nothing, from the tail of others. It never waits in the pipeline.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import structlog

from consumer.departure import Departure
from consumer.intake import IntakeWatch
from consumer.second_attempts import SecondAttempts
from consumer.shared_state import SharedState
from consumer.stages.receive import ReceiveStage
from consumer.work import Work
from contract import log_lines
from contract.errors import StorageError

log = structlog.get_logger()

FIRST_IDLE_SECONDS = 0.2
FULL_SECONDS = 1.0
"""Between two looks for room, unless something settles before."""
STORAGE_PAUSE_SECONDS = 2.0
NOTICE_SECONDS = 0.25
"""How late a signal, a halt file or a dead thread may be noticed."""


class Receiving:
    """Called by the main thread alone, which thereby knows what it received."""

    def __init__(
        self,
        state: SharedState,
        stage: ReceiveStage,
        second_attempts: SecondAttempts,
        intake: IntakeWatch,
        *,
        is_finished: Callable[[], bool] | None = None,
        most_received: int | None = None,
    ) -> None:
        """`is_finished`: asked while nothing is in hand; None: never. `most_received`: of one run; None: any number."""
        self._state = state
        self._stage = stage
        self._second_attempts = second_attempts
        self._intake = intake
        self._is_finished = is_finished
        self._left_to_receive = most_received
        self._parked: deque[Work] = deque()
        """Suspects that wait, under their leases, until nothing else is in hand."""
        self._wanted = 0

    def until_departure(
        self, told: Callable[[], Departure | None], submit: Callable[[Work], None]
    ) -> Departure:
        """Receive and `submit` until `told` names a reason to go, or there is nothing left to do. BadInput when what
        `is_finished` looks at is a person's mistake."""
        idle_seconds = FIRST_IDLE_SECONDS
        while True:
            departure = told() or self._all_done()
            if departure is not None:
                return departure
            self._submit_parked(submit)
            room = self.room()
            if room <= 0:
                self._wait(FULL_SECONDS, told)
            elif self._receive_some(room, told, submit):
                idle_seconds = FIRST_IDLE_SECONDS
            elif self._stage.is_clearing:
                continue
            elif self._take_from_tail(submit):
                idle_seconds = FIRST_IDLE_SECONDS
            elif self._has_nothing_left():
                return Departure("nothing left to do", None, is_eviction=False)
            else:
                self._wait(idle_seconds, told)
                idle_seconds = min(idle_seconds * 2, self._state.settings.idle_poll_seconds)

    def room(self) -> int:
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

    def _all_done(self) -> Departure | None:
        if self._left_to_receive == 0 and not self._state.in_hand():
            return Departure("did what was asked", None, is_eviction=False)
        return None

    def _submit_parked(self, submit: Callable[[Work], None]) -> None:
        """A suspect runs alone."""
        if self._parked and all(work in self._parked for work in self._state.in_hand()):
            submit(self._parked.popleft())

    def _receive_some(
        self, room: int, told: Callable[[], Departure | None], submit: Callable[[Work], None]
    ) -> bool:
        """Whether there was anything to work on."""
        try:
            works = self._stage.receive(room)
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            self._wait(STORAGE_PAUSE_SECONDS, told)
            return False
        if self._left_to_receive is not None:
            self._left_to_receive -= len(works)
        for work in works:
            self._state.on_received(work)
            if work.is_solo:
                self._parked.append(work)
            else:
                submit(work)
        return bool(works)

    def _take_from_tail(self, submit: Callable[[Work], None]) -> bool:
        """Idle, and the queues show nothing: try a tile that somebody else is slow with, too."""
        if self._left_to_receive is not None:
            return False
        try:
            work = self._look_at_tail()
        except Exception:  # what others report is read here: none of it may end every idle worker of a fleet
            log.exception(log_lines.SECOND_ATTEMPT, refused="the look at the tail failed, the work goes on")
            return False
        if work is None:
            return False
        self._state.on_received(work)
        submit(work)
        return True

    def _look_at_tail(self) -> Work | None:
        if self._state.in_hand():
            self._second_attempts.end_if_done()
            return None
        return self._second_attempts.take()

    def _has_nothing_left(self) -> bool:
        if self._is_finished is None or self._state.in_hand():
            return False
        try:
            return self._is_finished()
        except StorageError as error:
            log.warning(log_lines.STORAGE_TROUBLE, reason=str(error))
            return False

    def _wait(self, seconds: float, told: Callable[[], Departure | None]) -> None:
        """Until something settled or the time is over; a reason to go is seen in between."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if told() is not None:
                return
            with self._state.wake:
                if self._state.wake.wait(min(left, NOTICE_SECONDS)):
                    return
