"""Bookkeeping first: what became of what we asked for. Changes memory only, calls for nothing."""

from __future__ import annotations

from fleetctl.controller import offers
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.snapshot import Power

LISTING_LAG_SECONDS = 180.0
"""A machine that was just asked for may be missing from a listing for so long."""
START_LAG_SECONDS = 60.0
"""Still deallocated so long after its start was accepted: the start failed behind our back."""


def follow(draft: Draft) -> None:
    """Bring every machine's record up to what is seen."""
    for machine in draft.machines():
        if machine.memory is None:
            _adopt(draft, machine)
        elif machine.seen is None:
            _miss(draft, machine)
        else:
            _update(draft, machine)
    _open_offers(draft)


def _adopt(draft: Draft, machine: Machine) -> None:
    """One of ours by its name that we do not remember: our record was lost, or a person made it."""
    if machine.pool is not None:
        draft.want(machine.name, Intent.RUN, "found by its name")


def _miss(draft: Draft, machine: Machine) -> None:
    asked_at = machine.ours.started_at
    is_on_its_way = asked_at is not None and draft.now - asked_at < LISTING_LAG_SECONDS
    if machine.ours.intent is Intent.RELEASE or not is_on_its_way:
        del draft.vms[machine.name]


def _update(draft: Draft, machine: Machine) -> None:
    memory = machine.ours
    if machine.power is Power.RUNNING:
        newest = machine.newest
        is_idle = bool(machine.live) and machine.held == 0
        draft.note(
            machine.name,
            running_since=memory.running_since or draft.now,
            refused_starts=0,
            idle_since=(memory.idle_since or draft.now) if is_idle else None,
            boot_id=newest.boot_id if newest and machine.is_newer(newest) else memory.boot_id,
        )
    elif (
        machine.power is Power.DEALLOCATED and memory.started_at is not None and memory.running_since is None
    ):
        _note_refused_start(draft, machine, memory.started_at)


def _note_refused_start(draft: Draft, machine: Machine, started_at: float) -> None:
    """Accepted, and yet it did not start: the cloud said no later."""
    code = machine.listed.error_code
    has_failed = machine.listed.provisioning == "failed"
    if not has_failed and draft.now - started_at < START_LAG_SECONDS:
        return
    draft.note(machine.name, started_at=None, refused_starts=machine.ours.refused_starts + 1)
    offer = machine.listed.offer
    reason = code or "accepted, then not started"
    draft.offers[offer] = offers.refused(offer, draft.offer(offer), draft.now, reason)


def _open_offers(draft: Draft) -> None:
    """A probe that is on its way for a tick without a refusal got through."""
    powers = {machine.name: machine.power for machine in draft.machines()}
    for offer, memory in list(draft.offers.items()):
        if memory.room is not None:
            draft.offers[offer] = offers.widened(memory)
        elif memory.probe:
            power = powers.get(memory.probe)
            if power in (Power.STARTING, Power.CREATING, Power.RUNNING):
                draft.offers[offer] = offers.got_through(memory)
            elif power is None or memory.probe not in draft.vms:
                draft.offers[offer] = offers.probing(memory, "")  # it is gone: somebody else asks
