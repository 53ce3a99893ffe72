"""The power states of a virtual machine, in Azure's words, and which may follow which."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from contract.errors import TilefleetError


class PowerState(StrEnum):
    """What a VM's instance view says after `PowerState/`."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """Off, but still ours: it costs as if it ran, and keeps its temporary disk."""
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"
    """Given back: it costs its system disk alone, and its temporary disk is gone."""


OFF = frozenset({PowerState.STOPPED, PowerState.DEALLOCATED})
AT_REST = OFF | {PowerState.RUNNING}


class NotNow(TilefleetError):
    """The VM is in a state, or on its way to one, from which this cannot be done."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the cloud takes, on top of what this machine needs."""

    start_seconds: float = 0.0
    stop_seconds: float = 0.0
    deallocate_seconds: float = 0.0


class Power:
    """One VM's state. Safe to use from several threads: one change at a time, and the others are refused."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._state = PowerState.DEALLOCATED
        self._changed = threading.Condition()

    @property
    def state(self) -> PowerState:
        with self._changed:
            return self._state

    @contextlib.contextmanager
    def moving(
        self, origins: frozenset[PowerState], through: PowerState, to: PowerState, delay_seconds: float = 0
    ) -> Iterator[None]:
        """Within it the VM is `through`; afterwards it is `to`, or what it was if the body failed.

        NotNow unless it is in one of `origins` at the start.
        """
        with self._changed:
            before = self._state
            if before not in origins:
                wanted = " or ".join(sorted(origins))
                raise NotNow(f"{self._name} is {before}: to be {to} it must be {wanted} first")
            self._state = through
        after = before
        try:
            if delay_seconds:
                threading.Event().wait(delay_seconds)
            yield
            after = to
        finally:
            with self._changed:
                self._state = after
                self._changed.notify_all()

    def await_rest(self, limit_seconds: float) -> bool:
        """Wait until no change is under way; whether that came true in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state in AT_REST, limit_seconds)
