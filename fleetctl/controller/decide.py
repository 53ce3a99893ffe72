"""What to do now: one snapshot, what we remember, and the policy in; actions with reasons, and a new memory, out.

Pure and total: whatever the cloud says, there is an answer. The rules run in this order, each seeing what those
before it decided; a view that is incomplete leaves out the rules that need what is missing.
"""

from __future__ import annotations

from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.draft import Decision, Draft
from fleetctl.controller.memory import Memory
from fleetctl.controller.policy import Policy
from fleetctl.controller.rules.carry_out import carry_out
from fleetctl.controller.rules.charge import charge_evictions, charge_time, charge_traffic
from fleetctl.controller.rules.follow import follow
from fleetctl.controller.rules.health import mend
from fleetctl.controller.rules.money import drain_everything, keep_budgets
from fleetctl.controller.rules.outage import keep_probes, watch_source
from fleetctl.controller.rules.resolve import resolve
from fleetctl.controller.rules.scale import scale
from fleetctl.controller.rules.stops import explain_stops
from fleetctl.controller.rules.tidy import tidy
from fleetctl.controller.rules.wishes import obey
from fleetctl.controller.snapshot import Snapshot

__all__ = ["Action", "Decision", "Verb", "decide"]


def decide(seen: Snapshot, memory: Memory, policy: Policy) -> Decision:
    """The actions of this tick, and what must be remembered before the first of them is called."""
    draft = Draft(seen, memory, policy)
    if seen.vms is None:
        return draft.decision()  # blind: anything could be wrong
    follow(draft)
    charge_time(draft)
    charge_traffic(draft)
    keep_budgets(draft)
    obey(draft)
    explain_stops(draft)
    charge_evictions(draft)
    mend(draft)
    watch_source(draft)
    if draft.stopped_for:
        drain_everything(draft)
    elif seen.is_complete:
        if draft.outage_since is not None:
            keep_probes(draft, draft.outage_since)
        else:
            scale(draft)
    carry_out(draft)
    if seen.is_complete:
        tidy(draft)
    resolve(draft)
    return draft.decision()
