"""When the imagery's source fails for everybody, machines are paid for nothing: most go until it is back."""

from __future__ import annotations

from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.memory import Intent

LEAST_ATTEMPTS = 10
"""Fewer say nothing about a source."""
OUTAGE_SHARE = 0.5


def watch_source(draft: Draft) -> None:
    """Pause intake when most attempts fail at the source; resume when one gets through."""
    attempts, policy = draft.seen.attempts, draft.policy
    share = attempts.failed_at_source / attempts.ended if attempts.ended else 0.0
    if draft.outage_since is None:
        if attempts.ended >= LEAST_ATTEMPTS and share > OUTAGE_SHARE:
            draft.outage_since = draft.now
            reason = (
                f"{attempts.failed_at_source} of {attempts.ended} attempts failed at the imagery's source"
            )
            draft.do(Verb.PAUSE_INTAKE, policy.fleet, reason)
            draft.do(Verb.ALERT, "source-outage", reason)
    elif attempts.ended and share < 1.0:
        reason = f"{attempts.ended - attempts.failed_at_source} attempts got their imagery again"
        draft.outage_since = None
        draft.do(Verb.RESUME_INTAKE, policy.fleet, reason)
        draft.do(Verb.RESOLVE, "source-outage", reason)


def keep_probes(draft: Draft) -> None:
    """During an outage: one machine per region goes on asking, the others drain after their grace."""
    probes: set[str] = set()
    for machine in draft.machines():
        if draft.intent(machine.name) is not Intent.RUN or machine.pool is None or not machine.is_billed:
            continue
        region = machine.pool.offer.region
        if region not in probes:
            probes.add(region)
        elif draft.now - (draft.outage_since or draft.now) >= draft.policy.patience.idle_grace:
            draft.want(machine.name, Intent.DRAIN, "the imagery's source fails; one probe per region stays")
