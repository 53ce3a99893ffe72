"""What a tick may do. Each action names its target and says why in words; doing one twice is doing it once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """The calls that there are."""

    CREATE = "create"
    START = "start"
    DEALLOCATE = "deallocate"
    DELETE = "delete"
    """With its disk and interface."""
    DELETE_LEAK = "delete leak"
    """A disk, interface or address of ours that belongs to no machine; `target` is its resource id."""
    DRAIN = "drain"
    """Ask the machine's workers to finish what they hold and leave."""
    UNDRAIN = "undrain"
    RECORD_EVICTION = "record eviction"
    """So that nobody is charged for the silence of its workers."""
    FORGET_WORKER = "forget worker"
    """Delete the heartbeat of a worker that is gone for good; `target` is the worker."""
    FORGET_WISH = "forget wish"
    """A person's wish is taken up; `target` is its blob."""
    PAUSE_INTAKE = "pause intake"
    """The source fails: workers take nothing but one probe per region; `target` is the fleet."""
    RESUME_INTAKE = "resume intake"
    ALERT = "alert"
    """Tell a person; `target` is the alert's key: said once, resolved once."""
    RESOLVE = "resolve"
    PAUSE_JOB = "pause job"
    """Its money is spent."""
    RESUME_JOB = "resume job"
    """It was paused for money, and now has more."""
    FINISH_JOB = "finish job"
    """Verify it and, if it is complete, call it finished."""


CLOUD_VERBS = frozenset({Verb.CREATE, Verb.START, Verb.DEALLOCATE, Verb.DELETE, Verb.DELETE_LEAK})
"""Calls of the cloud, which are paced and may be refused."""

DECIDED_ONCE = frozenset({Verb.ALERT, Verb.RESOLVE, Verb.RECORD_EVICTION})
"""Decided when something changes and not again while it stays so: repeated until they are done."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do."""

    verb: Verb
    target: str
    reason: str

    def __str__(self) -> str:
        return f"{self.verb.value} {self.target}: {self.reason}"
