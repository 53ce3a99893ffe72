"""Machines that stopped: evicted ones are restarted, those that a person stopped are left alone after one try."""

from __future__ import annotations

from collections import Counter

from fleetctl.controller import offers
from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Power

UNEXPLAINED_STOPS = 2
"""The second one without a tile in between is held and reported: restarting a machine that somebody keeps
stopping helps nobody."""


def explain_stops(draft: Draft) -> None:
    """Find out why machines that should run are deallocated, and tell the workers' judges.

    Without heartbeats nobody can tell: then it waits until there are some.
    """
    if draft.seen.workers is None:
        return
    stopped = [machine for machine in draft.machines() if _has_stopped(machine)]
    lost = Counter(machine.listed.offer for machine in stopped)
    for machine in stopped:
        if _why_evicted(draft, machine, lost):
            draft.note(machine.name, evictions=machine.ours.evictions + 1)
            _account(draft, machine)
        elif machine.ours.intent is Intent.RUN:
            _suspect_a_person(draft, machine)
        draft.note(machine.name, running_since=None, started_at=None, idle_since=None)
    for offer, count in lost.items():
        if count >= offers.MASS_EVICTION:
            draft.offers[offer] = offers.lost_many(offer, draft.offer(offer), draft.now, count)


def _has_stopped(machine: Machine) -> bool:
    memory = machine.memory
    return (
        memory is not None
        and memory.intent in (Intent.RUN, Intent.DRAIN)
        and memory.running_since is not None
        and machine.power is Power.DEALLOCATED
    )


def _why_evicted(draft: Draft, machine: Machine, lost: Counter[Offer]) -> bool:
    """A notice, a heartbeat lost under load, or the fate of its neighbours explains it."""
    if machine.listed.offer.priority is not Priority.SPOT:
        return False
    newest = machine.newest
    is_noticed = (machine.name, machine.ours.boot_id) in draft.seen.evicted_boots
    was_busy = newest is not None and newest.held > 0 and machine.is_newer(newest)
    return is_noticed or was_busy or lost[machine.listed.offer] >= offers.MASS_EVICTION


def _account(draft: Draft, machine: Machine) -> None:
    boot = machine.ours.boot_id
    if boot and (machine.name, boot) not in draft.seen.evicted_boots:
        draft.do(Verb.RECORD_EVICTION, f"{machine.name}/{boot}", "found deallocated, not by us")


def _suspect_a_person(draft: Draft, machine: Machine) -> None:
    stops = machine.ours.unexplained_stops + 1
    draft.note(machine.name, unexplained_stops=stops)
    if stops >= UNEXPLAINED_STOPS:
        reason = f"stopped {stops} times and neither we nor an eviction did it"
        draft.want(machine.name, Intent.PARK, reason)
        draft.do(
            Verb.ALERT,
            f"unexplained-stop:{machine.name}",
            f"{reason}; `fleetctl start {machine.name}` starts it",
        )
