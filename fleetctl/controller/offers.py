"""Where the cloud has room, as far as we know: refusals close an offer for a while, one probe opens it again.

A hundred machines that were evicted together must not ask a hundred times whether there is room again: one
asks, the others follow when it got through. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from fleetctl.controller.memory import OfferMemory
from fleetctl.controller.policy import Offer

PROBE_SECONDS = 120.0
"""Between two probes in the first quarter of an hour: capacity mostly returns within minutes."""
PATIENT_PROBES = 8
LONGEST_PROBE_SECONDS = 900.0
PROBE_GROWTH = 1.5
JITTER_SHARE = 0.02
TROUBLE_SECONDS = 1800.0
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
    # From when the probe was due: the wait for the next tick would add up over many probes.
    since = memory.closed_until if 0 < now - memory.closed_until < pause else now
    until = since + pause * (1 + JITTER_SHARE * _unit(offer, refusals))
    return replace(memory, refused_at=now, refusals=refusals, closed_until=until, reason=reason, probe="")


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
    if memory.closed_until > now:
        return memory  # the rest of them: the first probe is due already
    until = now + PROBE_SECONDS * (1 + JITTER_SHARE * _unit(offer, 0))
    return replace(memory, closed_until=until, reason=f"{count} machines evicted at once", probe="")


def is_open(memory: OfferMemory) -> bool:
    """May as many machines as are wanted be started there?"""
    return memory.closed_until == 0.0


def may_start(memory: OfferMemory, now: float) -> bool:
    """May a machine be started there now, and if only as the probe?"""
    return is_open(memory) or (not memory.probe and now >= memory.closed_until)


def started(memory: OfferMemory, name: str) -> OfferMemory:
    """That machine is started there now; where it is doubtful, as the probe."""
    return memory if is_open(memory) else probing(memory, name)


def probing(memory: OfferMemory, name: str) -> OfferMemory:
    """That machine finds out."""
    return replace(memory, probe=name)


def got_through(memory: OfferMemory) -> OfferMemory:
    """The probe starts: as many as are wanted may. Should there be no room for all, the first one refused stops
    the others of its tick (`act.py`)."""
    return OfferMemory(refused_at=memory.refused_at)


def _unit(offer: Offer, refusals: int) -> float:
    """0..1, the same for the same input: two offers are not probed in step."""
    digest = hashlib.sha256(f"{offer} {refusals}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
