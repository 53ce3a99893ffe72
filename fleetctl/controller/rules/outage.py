"""When the imagery's source fails for everybody, machines are paid for nothing: most go until it is back."""

from __future__ import annotations

from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.rules.let_go import release_unneeded
from fleetctl.controller.rules.scale import add, is_up

LEAST_ATTEMPTS = 10
"""Fewer say nothing about a source."""
OUTAGE_SHARE = 0.5


def watch_source(draft: Draft) -> None:
    """Pause intake when most attempts fail at the source; resume when one gets through.

    Attempts are seen as sums over a window, so each verdict waits until the window holds nothing from before
    the last one: what was downloaded before an outage still ends well in it.
    """
    attempts, policy = draft.seen.attempts, draft.policy
    window = policy.patience.outage_window
    share = attempts.failed_at_source / attempts.ended if attempts.ended else 0.0
    if draft.outage_since is None:
        is_fresh = draft.now - draft.outage_over >= window
        if is_fresh and attempts.ended >= LEAST_ATTEMPTS and share > OUTAGE_SHARE:
            draft.outage_since = draft.now
            reason = (
                f"{attempts.failed_at_source} of {attempts.ended} attempts failed at the imagery's source"
            )
            draft.do(Verb.PAUSE_INTAKE, policy.fleet, reason)
            draft.do(Verb.ALERT, "source-outage", reason)
        return
    is_fresh = draft.now - draft.outage_since >= window + (draft.seen.tile_seconds or 0.0)
    if is_fresh and attempts.ended and share < 1.0:
        reason = f"{attempts.ended - attempts.failed_at_source} attempts got their imagery again"
        draft.outage_since, draft.outage_over = None, draft.now
        draft.do(Verb.RESUME_INTAKE, policy.fleet, reason)
        draft.do(Verb.RESOLVE, "source-outage", reason)


def keep_probes(draft: Draft, since: float) -> None:
    """During an outage: one machine per region goes on asking, the others drain after their grace."""
    fleet = [machine for machine in draft.machines() if draft.intent(machine.name) is Intent.RUN]
    up = sorted((machine for machine in fleet if is_up(draft, machine)), key=_is_less_fit_to_probe)
    regions: set[str] = set()
    for machine in up:
        region = machine.pool.offer.region if machine.pool else ""
        if region and region not in regions:
            regions.add(region)
        elif draft.now - since >= draft.policy.patience.idle_grace:
            draft.want(machine.name, Intent.DRAIN, "the imagery's source fails; one probe per region stays")
    if not up:
        add(draft, [machine for machine in fleet if machine not in up], missing=1)
    release_unneeded(draft, fleet, missing=0)


def _is_less_fit_to_probe(machine: Machine) -> tuple[bool, str]:
    return not machine.live, machine.name
