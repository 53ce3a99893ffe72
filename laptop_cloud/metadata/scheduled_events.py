"""Scheduled Events as Azure's metadata service tells them: a document per VM, and what comes of each event.

Events are announced, start, and vanish; each change is another incarnation of the document. Nobody is told
that an event has ended.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

KINDS = frozenset({"Preempt", "Terminate", "Freeze", "Reboot", "Redeploy"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one VM."""

    id: str
    kind: str
    vm: str
    not_before: datetime | None
    """None once it has started."""
    duration_seconds: int = -1
    description: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "EventId": self.id,
            "EventStatus": "Scheduled" if self.not_before else "Started",
            "EventType": self.kind,
            "ResourceType": "VirtualMachine",
            "Resources": [self.vm],
            "NotBefore": format_datetime(self.not_before, usegmt=True) if self.not_before else "",
            "Description": self.description,
            "EventSource": "Platform",
            "DurationInSeconds": self.duration_seconds,
        }


@dataclass
class Document:
    """What one VM is told."""

    incarnation: int = 1
    events: list[Event] = field(default_factory=list)
    approvals: dict[str, threading.Event] = field(default_factory=dict)


class ScheduledEvents:
    """The events of all VMs. Safe to use from several threads."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._documents: dict[str, Document] = {}
        self._lock = threading.Lock()

    def document(self, vm: str) -> dict[str, Any]:
        """As the VM reads it."""
        with self._lock:
            document = self._of(vm)
            return {
                "DocumentIncarnation": document.incarnation,
                "Events": [event.as_json() for event in document.events],
            }

    def announce(self, vm: str, kind: str, notice_seconds: float, *, duration_seconds: int = -1) -> Event:
        """Say that it happens after so many seconds."""
        assert kind in KINDS, kind
        not_before = self._now() + timedelta(seconds=notice_seconds)
        event = Event(str(uuid.uuid4()).upper(), kind, vm, not_before, duration_seconds)
        with self._lock:
            document = self._of(vm)
            document.events.append(event)
            document.approvals[event.id] = threading.Event()
            document.incarnation += 1
        return event

    def begin(self, event: Event) -> None:
        """Say that it happens now."""
        with self._lock:
            document = self._of(event.vm)
            document.events = [
                replace(known, not_before=None) if known.id == event.id else known
                for known in document.events
            ]
            document.incarnation += 1

    def finish(self, event: Event) -> None:
        """Say nothing of it any more; a second call changes nothing."""
        with self._lock:
            document = self._of(event.vm)
            left = [known for known in document.events if known.id != event.id]
            if left != document.events:
                document.events = left
                document.approvals.pop(event.id, None)
                document.incarnation += 1

    def approve(self, vm: str, event_id: str) -> bool:
        """The VM is ready before the time; False when it has no such event."""
        with self._lock:
            approval = self._of(vm).approvals.get(event_id)
        if approval is None:
            return False
        approval.set()
        return True

    def await_approval(self, event: Event, limit_seconds: float) -> bool:
        """Wait until the event is approved; False when time was up first."""
        with self._lock:
            approval = self._of(event.vm).approvals.get(event.id)
        return approval is not None and approval.wait(limit_seconds)

    def _of(self, vm: str) -> Document:
        return self._documents.setdefault(vm, Document())
