"""What is known of each host, on a board that all slots of a machine read and write: a small file per host.

Slots share one line and one address, so a host that throttles one throttles all. Each process takes
an equal part of the limit. A file that is damaged or cannot be written costs only the sharing.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from consumer.imagery.pace import HIGHEST_LIMIT, Pace

ALIVE_SECONDS = 120.0
"""A process that said nothing for so long reads nothing from the host."""
MAX_BYTES = 1 << 16

Change = Callable[[Pace], Pace]


class PaceBoard(Protocol):
    """Where paces are kept."""

    def change(self, host: str, now: float, change: Change) -> tuple[Pace, int]:
        """Apply the change to the newest pace; that pace, and how many processes share it."""
        ...


class OwnBoard:
    """For one process alone."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}

    def change(self, host: str, now: float, change: Change) -> tuple[Pace, int]:  # noqa: ARG002
        self._paces[host] = change(self._paces.get(host, Pace()))
        return self._paces[host], 1


class SharedBoard:
    """Files below a folder that the slots of a machine share. `now` must be this machine's steady clock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = OwnBoard()

    def change(self, host: str, now: float, change: Change) -> tuple[Pace, int]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(
                self._folder / _file_name(host), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for microseconds; ends with the descriptor
                pace, processes = _read(descriptor, now)
                pace = change(pace)
                processes[str(os.getpid())] = now
                _write(descriptor, pace, processes)
            finally:
                os.close(descriptor)
        except OSError:
            return self._own.change(host, now, change)
        return pace, len(processes)


def _file_name(host: str) -> str:
    return re.sub(r"[^a-z0-9.-]", "_", host.lower())[:120] + ".json"


def _read(descriptor: int, now: float) -> tuple[Pace, dict[str, float]]:
    """What the file says; a new start if that makes no sense, or comes from before the last boot."""
    try:
        record: dict[str, Any] = json.loads(os.pread(descriptor, MAX_BYTES, 0))
        pace = Pace(**{name: type(value)(record["pace"][name]) for name, value in asdict(Pace()).items()})
        heard = {str(process): float(when) for process, when in record["processes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Pace(), {}
    is_plausible = (
        1 <= pace.limit <= HIGHEST_LIMIT
        and not math.isnan(pace.best_rate)
        and max([pace.best_at, pace.lowered_at, *heard.values()]) <= now + 1
    )
    if not is_plausible:
        return Pace(), {}
    return pace, {process: when for process, when in heard.items() if now - when < ALIVE_SECONDS}


def _write(descriptor: int, pace: Pace, processes: dict[str, float]) -> None:
    text = json.dumps({"pace": asdict(pace), "processes": processes}).encode()
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))
