"""Where the cloud has room, as far as we know: refusals close an offer for a while, one probe opens it again.

A hundred machines that were evicted together must not ask a hundred times whether there is room again: one
asks, the others follow when it got through. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from fleetctl.controller.memory import OfferMemory
from fleetctl.controller.policy import Offer

FIRST_PROBE_SECONDS = 85.0
PROBE_SECONDS = 100.0
"""Between two probes in the first quarter of an hour: capacity mostly returns within minutes."""
PATIENT_PROBES = 9
LONGEST_PROBE_SECONDS = 900.0
PROBE_GROWTH = 1.5
JITTER_SHARE = 0.05
TROUBLE_SECONDS = 1800.0
FIRST_ROOM = 33
"""Starts in the tick after a probe got through; then as many as are wanted."""
MASS_EVICTION = 3
"""So many machines of one offer gone in one tick: where they were there is no room now."""

CAPACITY_CODES = frozenset(
    {
        "skunotavailable",
        "allocationfailed",
        "zonalallocationfailed",
        "overconstrainedallocationrequest",
        "overconstrainedzonalallocationrequest",
    }
)
"""Lower case."""


def is_capacity_code(code: str) -> bool:
    """Is this an error that says that the cloud has no room?"""
    return code.rpartition("/")[2].lower() in CAPACITY_CODES


def refused(offer: Offer, memory: OfferMemory, now: float, reason: str) -> OfferMemory:
    """Closed, until the next probe is due. Many machines refused in one tick are one refusal."""
    refusals = memory.refusals + (memory.refused_at != now or memory.refusals == 0)
    growth = PROBE_GROWTH ** max(0, refusals - PATIENT_PROBES)
    pause = min(PROBE_SECONDS * growth, LONGEST_PROBE_SECONDS)
    until = now + pause * (1 + JITTER_SHARE * _unit(offer, refusals))
    return OfferMemory(refused_at=now, refusals=refusals, closed_until=until, reason=reason)


def in_trouble(memory: OfferMemory, now: float, reason: str) -> OfferMemory:
    """Closed for longer: quotas, roles and images change when people do something about them."""
    return OfferMemory(
        refused_at=now,
        refusals=memory.refusals,
        closed_until=now + TROUBLE_SECONDS,
        reason=reason,
        trouble=reason,
    )


def lost_many(offer: Offer, memory: OfferMemory, now: float, count: int) -> OfferMemory:
    """A mass eviction: doubtful, though nobody was refused yet."""
    until = now + FIRST_PROBE_SECONDS * (1 + JITTER_SHARE * _unit(offer, 0))
    return replace(memory, closed_until=until, reason=f"{count} machines evicted at once", probe="")


def room(memory: OfferMemory, now: float) -> int | None:
    """How many machines may be started there now; None: as many as are wanted."""
    if memory.closed_until == 0.0:
        return memory.room
    return 0 if memory.probe or now < memory.closed_until else 1


def taken(memory: OfferMemory, name: str) -> OfferMemory:
    """That machine is started there now: one less, or the probe."""
    if memory.closed_until > 0.0:
        return probing(memory, name)
    return memory if memory.room is None else replace(memory, room=memory.room - 1)


def probing(memory: OfferMemory, name: str) -> OfferMemory:
    """That machine finds out."""
    return replace(memory, probe=name)


def got_through(memory: OfferMemory) -> OfferMemory:
    """The probe starts: there is room for some, and in the next tick for all."""
    return OfferMemory(refused_at=memory.refused_at, room=FIRST_ROOM)


def widened(memory: OfferMemory) -> OfferMemory:
    """Nothing was refused since: no limit any more."""
    return OfferMemory(refused_at=memory.refused_at)


def _unit(offer: Offer, refusals: int) -> float:
    """0..1, the same for the same input: controllers of two fleets do not probe in step."""
    digest = hashlib.sha256(f"{offer} {refusals}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
