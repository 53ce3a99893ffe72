"""Lets requests pass, host by host, no faster than `pace.py` allows, and tells it how they went."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from consumer.imagery import pace
from consumer.imagery.pace_board import OwnBoard, PaceBoard
from contract.errors import Stopped

LOOK_SECONDS = 0.5
"""How often a stop is looked for while waiting for a turn, and the board while nothing happens."""


@dataclass(slots=True)
class Turn:
    """One request under way. Whoever holds it says how it ended."""

    began: float
    answered_bytes: int = 0
    is_complaint: bool = False
    retry_after_seconds: float | None = None


@dataclass(slots=True)
class _Host:
    """Counts of this process; all changes under the condition."""

    limit: int
    paused_until: float
    round_began: float
    under_way: int = 0
    round_bytes: int = 0
    was_full: bool = False


class Turns:
    """Shared by all threads that read."""

    def __init__(self, board: PaceBoard | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, steady, the same for all processes of this machine."""
        self._board = board or OwnBoard()
        self._clock = clock
        self._changed = threading.Condition()
        self._hosts: dict[str, _Host] = {}

    @contextmanager
    def turn(self, host: str, stop: threading.Event) -> Iterator[Turn]:
        """Within it, one more request to the host is under way. Stopped when `stop` is set while waiting."""
        self._enter(host, stop)
        turn = Turn(began=self._clock())
        try:
            yield turn
        finally:
            self._leave(host, turn)

    def limit(self, host: str) -> int:
        """Requests that this process may have under way with the host."""
        with self._changed:
            return self._known(host).limit

    def _enter(self, host: str, stop: threading.Event) -> None:
        with self._changed:
            while True:
                if stop.is_set():
                    raise Stopped(f"stopped while waiting to read from {host}")
                known = self._known(host)
                pause = known.paused_until - self._clock()
                if pause <= 0 and known.under_way < known.limit:
                    break
                self._changed.wait(min(max(pause, 0.01), LOOK_SECONDS) if pause > 0 else LOOK_SECONDS)
            known.under_way += 1
            known.was_full = known.was_full or known.under_way >= known.limit

    def _leave(self, host: str, turn: Turn) -> None:
        now = self._clock()
        with self._changed:
            known = self._known(host)
            known.under_way -= 1
            known.round_bytes += turn.answered_bytes
            if turn.is_complaint:
                self._complain(host, known, turn, now)
            elif now - known.round_began >= pace.SHORTEST_ROUND_SECONDS:
                self._end_round(host, known, now)
            if known.limit > known.under_way + 1:
                self._changed.notify_all()  # the limit may have grown
            else:
                self._changed.notify()

    def _complain(self, host: str, known: _Host, turn: Turn, now: float) -> None:
        self._take(
            host,
            known,
            now,
            lambda old: pace.after_complaint(old, now, turn.retry_after_seconds, now - turn.began),
        )
        known.round_began, known.round_bytes, known.was_full = now, 0, False

    def _end_round(self, host: str, known: _Host, now: float) -> None:
        round_ = pace.Round(now, now - known.round_began, known.round_bytes, known.was_full)
        self._take(host, known, now, lambda old: pace.after_round(old, round_))
        known.round_began, known.round_bytes, known.was_full = now, 0, False

    def _take(self, host: str, known: _Host, now: float, change: Callable[[pace.Pace], pace.Pace]) -> None:
        newest, processes = self._board.change(host, now, change)
        known.limit = max(newest.limit // processes, 1)
        known.paused_until = newest.paused_until

    def _known(self, host: str) -> _Host:
        known = self._hosts.get(host)
        if known is None:
            now = self._clock()
            known = self._hosts[host] = _Host(limit=1, paused_until=0.0, round_began=now)
            self._take(host, known, now, lambda old: old)
        return known
