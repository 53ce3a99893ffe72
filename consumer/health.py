"""While a worker works: is its machine still fit? The looks of the start again, in a thread of their own.

A thread of their own, because a driver or a disk that hangs must hold up neither heartbeat nor leases.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from consumer.fitness import Check, why_unfit
from consumer.work import Stage, Work
from contract.errors import StorageError, WorkerUnfit

MOMENTARY = frozenset({"clock", "memory"})
"""Checks that a moment may fail: counted from the second look in a row on. The storage's clock is carried on by
ours between two answers, so a machine that slept is wrong about it until the next one."""


@dataclass
class HealthWatch:
    """Looks until something is wrong, says so once, and is done: an unfit worker does not become fit again."""

    look: Callable[[], Iterable[Check]]
    held: Callable[[], Iterable[Work]]
    on_unfit: Callable[[str], None]
    pause_seconds: float
    _failed_before: frozenset[str] = field(default_factory=frozenset)

    def run(self, stop: threading.Event) -> None:
        """The thread's body."""
        while not stop.wait(self.pause_seconds):
            if reason := self.trouble():
                self._end_inference(reason)
                self.on_unfit(reason)  # from here on the inference thread takes nothing more
                self._end_inference(reason)  # what it took meanwhile
                return

    def trouble(self) -> str:
        """One look: what is wrong with the machine, in words; empty when nothing is, or nobody can tell now."""
        try:
            failed = [check for check in self.look() if check.is_ok is False]
        except StorageError:  # it was asked for its clock
            return ""
        before, self._failed_before = self._failed_before, frozenset(check.name for check in failed)
        return why_unfit(check for check in failed if check.name not in MOMENTARY or check.name in before)

    def _end_inference(self, reason: str) -> None:
        """What this machine computes now is not to be trusted: the tile in inference ends here, and it is noted
        there that this worker fell with it. All others are only handed back."""
        for work in self.held():
            if work.stage is Stage.INFER:
                work.end_early(WorkerUnfit(reason))
