"""A cloud's warning that this machine goes away, and what every source of such warnings owes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from consumer.departure import Departure
from contract.errors import TilefleetError


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a cloud announced for this machine."""

    cloud: str
    """`azure`, `aws` or `google`."""
    kind: str
    """In the cloud's own word: `Preempt`, `terminate`, `preempted`."""
    deadline: float
    """time.monotonic() from which on the machine may be gone; already past: at any moment."""
    id: str
    reason: str
    """For a person."""
    is_departure: bool
    """Whether a worker leaves for it; else it is only logged."""
    resources: tuple[str, ...] = ()
    """Machines that it names; empty where a cloud tells each machine only of itself."""

    def departure(self) -> Departure:
        """What it means for a worker, if it means leaving at all."""
        return Departure(self.reason, self.deadline, is_eviction=True)


class NoAnswer(TilefleetError):
    """The metadata service said nothing that could be understood. Never a notice: it is asked again."""


class NoticeSource(Protocol):
    """One cloud's way to tell."""

    @property
    def pause_seconds(self) -> float:
        """Between two polls."""
        ...

    @property
    def longest_poll_seconds(self) -> float:
        """One poll has ended after that, whatever the service does; who has not hangs."""
        ...

    def poll(self) -> list[Notice]:
        """What is new since the last call, of this machine alone. NoAnswer when nothing can be said."""
        ...
