"""How a spot VM is taken away: announced, begun when its time is over or it is ready, deallocated, forgotten."""

from __future__ import annotations

import contextlib
import threading
from typing import Protocol

from laptop_cloud.machines.power import NotNow
from laptop_cloud.metadata.scheduled_events import Event, ScheduledEvents

NOTICE_SECONDS = 30.0
"""Azure's, when it gives any."""
CHANGE_LIMIT_SECONDS = 60.0
"""Until a change that is under way, such as a start, is over."""


class Evictable(Protocol):
    """A VM, as far as its eviction goes."""

    @property
    def name(self) -> str: ...

    def await_rest(self, limit_seconds: float) -> bool:
        """Wait until no change is under way."""
        ...

    def deallocate(self) -> None:
        """Take it away at once."""
        ...


def evict(vm: Evictable, events: ScheduledEvents, notice_seconds: float | None) -> threading.Thread:
    """Begin it; the thread ends with the eviction. None: no notice at all."""
    event = None if notice_seconds is None else events.announce(vm.name, "Preempt", notice_seconds)
    thread = threading.Thread(
        target=_carry_out, args=(vm, events, event, notice_seconds or 0), name=f"evict-{vm.name}", daemon=True
    )
    thread.start()
    return thread


def _carry_out(vm: Evictable, events: ScheduledEvents, event: Event | None, notice_seconds: float) -> None:
    if event is not None:
        events.await_approval(event, notice_seconds)
        events.begin(event)
    try:
        vm.await_rest(CHANGE_LIMIT_SECONDS)
        with contextlib.suppress(NotNow):  # somebody else takes it away at this moment
            vm.deallocate()
    finally:
        if event is not None:
            events.finish(event)
