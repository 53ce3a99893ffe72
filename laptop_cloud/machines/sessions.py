"""All processes of one machine, however many groups and generations: those of one session.

A supervisor puts each slot in a group of its own, and a slot whose supervisor dies first would hand its tiles
back in order, which nothing does on a machine that loses its power. So all are stopped before any is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable

import psutil

from laptop_cloud.processes import has_ended_within

STANDSTILL_LIMIT_SECONDS = 5.0
LOOK_SECONDS = 0.002
AT_REST = frozenset({psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE})


def members(session: int) -> set[int]:
    """Process ids of those that have not ended."""
    return {pid for pid in psutil.pids() if _is_member(pid, session)}


def freeze(session: int) -> set[int]:
    """Stop them all, those too that are started meanwhile; returns who stands still."""
    stopped: set[int] = set()
    while fresh := members(session) - stopped:
        _signal(fresh, signal.SIGSTOP)
        for pid in fresh:
            _await_standstill(pid)
        stopped |= fresh
    return stopped


def thaw(session: int) -> None:
    """Let them go on."""
    _signal(members(session), signal.SIGCONT)


def kill(session: int) -> None:
    """End them all, as a power cut does; returns when they have ended. Their parents reap them.

    The session's id must still be theirs: call it before the leader is reaped.
    """
    stopped = freeze(session)
    handles = [handle for pid in stopped if (handle := _open(pid)) is not None]
    _signal(stopped, signal.SIGKILL)
    for handle in handles:
        has_ended_within(handle)
        os.close(handle)


def _is_member(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        return False


def _await_standstill(pid: int) -> None:
    """The signal takes effect when the process next leaves the kernel: at once, or after a slow disk's answer."""
    deadline = time.monotonic() + STANDSTILL_LIMIT_SECONDS
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.status() not in AT_REST and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
