"""What becomes of a slot whose process ended: another start, or none, and why. Pure."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumer.exit_codes import ExitCode

DEATHS_WINDOW_SECONDS = 600.0
MOST_DEATHS = 3
"""So many faults within the window: the slot stays down, since whatever kills it is still there."""
FIRST_PAUSE_SECONDS = 1.0
PAUSE_FACTOR = 10.0

TOLD_TWICE = 130
"""Status of a process that ended at once because of a second signal (consumer/notices/signals.py)."""

SEVERITY = (
    ExitCode.UNFIT,
    ExitCode.STUCK,
    ExitCode.FAULT,
    ExitCode.BAD_INPUT,
    ExitCode.EVICTED,
    ExitCode.DONE,
)
"""Which slot's end becomes the supervisor's, the gravest first: a machine to repair, a hang, a bug, a
mistake, a notice, and nothing left to do."""

_FINAL = {
    ExitCode.DONE: "it did what there was to do",
    ExitCode.EVICTED: "it left on a notice",
    ExitCode.UNFIT: "its part of the machine must not take tiles",
    ExitCode.BAD_INPUT: "the same mistake would end it again",
}


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after a pause."""

    pause_seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class StayDown:
    """Leave it."""

    reason: str
    is_fault: bool
    """Somebody should look at it."""


def judge_death(status: int, deaths: Sequence[float], now: float) -> Restart | StayDown:
    """What to do about a process that ended with `status` (negative: by that signal).

    deaths: when this slot died of faults before, by the clock of `now`, in seconds.
    """
    code = exit_code(status)
    if code in _FINAL:
        return StayDown(_FINAL[code], is_fault=code in (ExitCode.UNFIT, ExitCode.BAD_INPUT))
    if status == TOLD_TWICE:
        return StayDown("it was told twice to go", is_fault=False)
    recent = 1 + sum(now - death < DEATHS_WINDOW_SECONDS for death in deaths)
    if recent >= MOST_DEATHS:
        window_minutes = DEATHS_WINDOW_SECONDS / 60
        return StayDown(f"death {recent} within {window_minutes:g} minutes", is_fault=True)
    pause = FIRST_PAUSE_SECONDS * PAUSE_FACTOR ** (recent - 1)
    return Restart(pause, f"death {recent} within {DEATHS_WINDOW_SECONDS / 60:g} minutes")


def exit_code(status: int) -> ExitCode:
    """The meaning of a process's status; everything that is none of ours is a fault."""
    try:
        return ExitCode(status)
    except ValueError:
        return ExitCode.FAULT


def describe(status: int) -> str:
    """For a person: `unfit (21)`, `SIGKILL`, `status 130`."""
    if status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"
    try:
        return f"{ExitCode(status).name.lower()} ({status})"
    except ValueError:
        return f"status {status}"


def worst(statuses: Iterable[int]) -> ExitCode:
    """The gravest end of all slots, in the order of SEVERITY."""
    return min((exit_code(status) for status in statuses), key=SEVERITY.index, default=ExitCode.DONE)
