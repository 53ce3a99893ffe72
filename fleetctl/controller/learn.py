"""What a refused call teaches: pure, applied to the memory after the calls of a tick."""

from __future__ import annotations

from dataclasses import replace

from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller import offers
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.memory import Memory, OfferMemory
from fleetctl.controller.policy import Offer

STARTS = frozenset({Verb.CREATE, Verb.START})
TROUBLES = frozenset({Refusal.QUOTA, Refusal.MISTAKE, Refusal.NOT_ALLOWED})
"""A person must act before starting there makes sense again."""
CLOSES = TROUBLES | {Refusal.NO_CAPACITY}
"""What one start is told of its offer is true of the others."""


def learn(memory: Memory, action: Action, offer: Offer | None, refused: Refused, now: float) -> Memory:
    """The memory after `action` was refused. `offer`: of the machine it names, where it names one."""
    vms, by_offer = dict(memory.vms), dict(memory.offers)
    record = vms.get(action.target)
    if record is not None and refused.kind is Refusal.GONE and action.verb in (Verb.DELETE, Verb.START):
        del vms[action.target]  # deleted is what was wanted; or it is created anew
    elif record is not None:
        # Not made, so not to be waited for: the next tick decides again, at the earliest when the cloud allows.
        is_start = action.verb in STARTS
        vms[action.target] = replace(
            record,
            called_at=None,
            started_at=None if is_start else record.started_at,
            refused_starts=record.refused_starts + (is_start and refused.kind is Refusal.NO_CAPACITY),
        )
        if action.verb is Verb.CREATE:
            del vms[action.target]
    if offer is not None and action.verb in STARTS:
        known = by_offer.get(offer, OfferMemory())
        if refused.kind is Refusal.NO_CAPACITY:
            by_offer[offer] = offers.refused(offer, known, now, refused.code or refused.text)
        elif refused.kind in TROUBLES:
            by_offer[offer] = offers.in_trouble(known, now, str(refused))
    for asked, known in by_offer.items():
        if known.probe == action.target:  # it was not asked, or nobody knows: somebody else finds out
            by_offer[asked] = offers.probing(known, "")
    return replace(memory, vms=vms, offers=by_offer)
