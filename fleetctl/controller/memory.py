"""What the controller must remember from one tick to the next; written before the calls that follow from it.

Whoever finds this record knows what its predecessor meant to do: every action is named by its machine and may
be repeated, so that a controller killed between writing and calling is continued by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fleetctl.controller.actions import Action
from fleetctl.controller.policy import Offer


class Intent(StrEnum):
    """What we want of a machine; a machine without an intent is none that we made."""

    RUN = "run"
    REHOST = "rehost"
    """Deallocate, and start again on other hardware."""
    DRAIN = "drain"
    """Finish what it holds; then `release`."""
    PARK = "park"
    """Deallocated, kept with its disk: a person wants it so."""
    QUARANTINE = "quarantine"
    """Deallocated, kept for a person to look at."""
    RELEASE = "release"
    """Deleted, with its disk and interface."""


@dataclass(frozen=True, slots=True)
class VmMemory:
    """One machine."""

    intent: Intent
    reason: str
    since: float
    """Epoch seconds of the intent."""
    started_at: float | None = None
    """When we last asked for it to start or be created; None: not since the intent."""
    running_since: float | None = None
    """First seen running after that."""
    idle_since: float | None = None
    """Without a tile since then, or deallocated and not needed."""
    called_at: float | None = None
    """When we last made the call that its intent asks for; None: not since the intent."""
    called: str = ""
    """Which call that was: another one need not wait for its repetition."""
    rehosts: tuple[float, ...] = ()
    """When it was rehosted within the last day."""
    refused_starts: int = 0
    """In a row."""
    unexplained_stops: int = 0
    """Deallocations that neither we nor an eviction explains."""
    evictions: int = 0
    boot_id: str = ""
    """Of its newest heartbeat: what an eviction's account is named by."""


@dataclass(frozen=True, slots=True)
class OfferMemory:
    """What we learnt about a size in a region."""

    refused_at: float = 0.0
    refusals: int = 0
    """In a row."""
    closed_until: float = 0.0
    """Sold out or without quota until then, as far as we know: nothing is started there but one probe after it."""
    reason: str = ""
    probe: str = ""
    """The machine that is being started to find out whether there is room again; empty: none."""
    trouble: str = ""
    """What a person must mend there: quota, a role, an image; empty: it is only sold out, or open."""


@dataclass(frozen=True, slots=True)
class Spend:
    """Money so far, in USD. `paid` is the sum of the others."""

    paid: float = 0.0
    by_job: Mapping[str, float] = field(default_factory=dict)
    by_day: Mapping[str, float] = field(default_factory=dict)
    """UTC date."""
    by_kind: Mapping[str, float] = field(default_factory=dict)
    """useful, evicted, unfit, idle, boot, disks, traffic."""
    traffic_by_job: Mapping[str, float] = field(default_factory=dict)
    """The part of `by_job` that was paid for traffic."""
    sent_bytes: Mapping[str, int] = field(default_factory=dict)
    """Charged already, by pool and job."""
    vm_hours: Mapping[str, float] = field(default_factory=dict)
    """Billed ones by offer, as it prints."""
    evictions: Mapping[str, int] = field(default_factory=dict)
    """By offer, too: with the hours, how often its machines are taken."""
    counted_until: float = 0.0
    """Epoch seconds."""
    warned: tuple[str, ...] = ()
    """What was told of budgets that still are so: `<job, day or fleet>:<percent or stop>:<USD>`."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The whole record."""

    vms: Mapping[str, VmMemory] = field(default_factory=dict)
    offers: Mapping[Offer, OfferMemory] = field(default_factory=dict)
    spend: Spend = Spend()
    outage_since: float | None = None
    """Intake is paused since then, because the source fails."""
    outage_over: float = 0.0
    """When the last outage ended: attempts from before it say nothing about the source of now."""
    blind_until: float = 0.0
    """Heartbeats did not get through lately: until then no machine is blamed for its silence."""
    stopped_for: str = ""
    """Why the whole fleet drains: a budget or `stop_after`; empty while it works."""
    stopped_by: str = ""
    """Which limit did it, with its amount: another amount, or another day, lets the fleet go on."""
    in_doubt: tuple[Action, ...] = ()
    """What was about to be done when this was written: whoever begins with it cannot know how far that came. Between
    two ticks what could not be done and is not decided anew."""
