"""How many calls the cloud's interface takes: token buckets that mirror its own, and what its answers say is left.

Pure. An action that finds its bucket empty is put off to a later tick, which costs nothing: all are repeatable.
Figures: Azure Resource Manager and its compute provider, per principal, subscription and region.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fleetctl.cloud.machines import RateLeft
from fleetctl.controller.actions import Action, Verb


@dataclass(frozen=True, slots=True)
class Rate:
    """How large a bucket is, and how fast it fills."""

    most: float
    per_second: float


PER_VM = Rate(12, 4 / 60)
WRITES = Rate(200, 10)
DELETES = Rate(200, 10)
KEPT_BACK = 0.2
"""Share of what the answers say is left that we leave to other programs of the subscription."""

_RATES: Mapping[Verb, Rate] = {
    Verb.CREATE: WRITES,
    Verb.START: WRITES,
    Verb.DEALLOCATE: WRITES,
    Verb.DELETE: DELETES,
    Verb.DELETE_LEAK: DELETES,
}


@dataclass(frozen=True, slots=True)
class Buckets:
    """What is left in each, at one moment."""

    at: float
    left: Mapping[str, float] = field(default_factory=dict)
    """By `<vm>` and by kind; one that is not here is full."""
    closed_until: float = 0.0
    """The interface said to come back then: nothing is called before."""
    heard: int | None = None
    """What an answer said last of writes that are left: believed once, since no newer answer comes without a call."""


@dataclass(frozen=True, slots=True)
class Paced:
    """A tick's actions, sorted into now and later."""

    now: tuple[Action, ...]
    later: tuple[Action, ...]
    buckets: Buckets


def paced(actions: Iterable[Action], buckets: Buckets, now: float) -> Paced:
    """Take what the buckets allow, in order. Actions that are no calls of the cloud always pass."""
    left = dict(buckets.left)
    seconds = max(0.0, now - buckets.at)
    rates = {"writes": WRITES, "deletes": DELETES}
    for name, tokens in left.items():
        rate = rates.get(name, PER_VM)
        left[name] = min(rate.most, tokens + seconds * rate.per_second)
    taken: list[Action] = []
    put_off: list[Action] = []
    for action in actions:
        of_verb = _RATES.get(action.verb)
        if of_verb is None:
            taken.append(action)
            continue
        kind = "deletes" if action.verb in (Verb.DELETE, Verb.DELETE_LEAK) else "writes"
        own = f"vm:{action.target}"
        of_kind, of_vm = left.get(kind, of_verb.most), left.get(own, PER_VM.most)
        if now < buckets.closed_until or of_kind < 1 or of_vm < 1:
            put_off.append(action)
            continue
        left[kind], left[own] = of_kind - 1, of_vm - 1
        taken.append(action)
    full = {name: tokens for name, tokens in left.items() if tokens < rates.get(name, PER_VM).most}
    return Paced(tuple(taken), tuple(put_off), replace(buckets, at=now, left=full))


def after_answers(buckets: Buckets, rate_left: RateLeft) -> Buckets:
    """Believe to have no more than the newest answers say."""
    if rate_left.writes is None or rate_left.writes == buckets.heard:
        return buckets
    believed = buckets.left.get("writes", WRITES.most)
    allowed = min(believed, rate_left.writes * (1 - KEPT_BACK))
    return replace(buckets, left={**buckets.left, "writes": allowed}, heard=rate_left.writes)


def throttled(buckets: Buckets, now: float, retry_after_seconds: float | None) -> Buckets:
    """The interface refused: wait as long as it says, without blocking anything else."""
    until = now + (retry_after_seconds if retry_after_seconds is not None else 60.0)
    return replace(buckets, closed_until=max(buckets.closed_until, until))
