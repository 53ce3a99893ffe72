"""Bookkeeping first: what became of what we asked for. Changes memory, and tells what stands in the way of starts."""

from __future__ import annotations

from fleetctl.controller import offers
from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent, VmMemory
from fleetctl.controller.snapshot import Power
from fleetctl.controller.wish import Wish

LISTING_LAG_SECONDS = 180.0
"""A machine that was just asked for may be missing from a listing for so long."""
START_LAG_SECONDS = 60.0
"""Still deallocated so long after its start was accepted: the start failed behind our back."""
OURS_TO_STOP = frozenset({Intent.PARK, Intent.QUARANTINE})
"""Deallocated is what we wanted of them."""


def follow(draft: Draft) -> None:
    """Bring every machine's record up to what is seen."""
    for machine in draft.machines():
        if machine.memory is None:
            _adopt(draft, machine)
        elif machine.seen is None:
            _miss(draft, machine)
        elif machine.power is Power.RUNNING:
            _note_running(draft, machine, machine.memory)
        elif machine.power is Power.DEALLOCATED:
            _note_deallocated(draft, machine, machine.memory)
        elif machine.power is Power.UNKNOWN and machine.listed.provisioning == "failed":
            _note_never_made(draft, machine, machine.memory)
    _open_offers(draft)


def _adopt(draft: Draft, machine: Machine) -> None:
    """One of ours by its name that we do not remember: our record was lost, or a person made it."""
    if machine.pool is not None:
        draft.want(machine.name, Intent.RUN, "found by its name")


def _miss(draft: Draft, machine: Machine) -> None:
    memory = machine.ours
    is_on_its_way = memory.started_at is not None and draft.now - memory.started_at < LISTING_LAG_SECONDS
    if memory.intent is Intent.RELEASE or not is_on_its_way:
        draft.forget(machine.name)


def _note_running(draft: Draft, machine: Machine, memory: VmMemory) -> None:
    newest = machine.newest
    is_idle = bool(machine.live) and machine.held == 0
    idle_since = (memory.idle_since or draft.now) if is_idle else None
    boot_id = newest.boot_id if newest and machine.is_newer(newest) else memory.boot_id
    stops = 0 if machine.held else memory.unexplained_stops
    is_news = memory.running_since is None or memory.refused_starts or stops != memory.unexplained_stops
    if is_news or idle_since != memory.idle_since or boot_id != memory.boot_id:  # of thousands, few have any
        draft.note(
            machine.name,
            running_since=memory.running_since or draft.now,
            refused_starts=0,
            unexplained_stops=stops,
            idle_since=idle_since,
            boot_id=boot_id,
        )


def _note_deallocated(draft: Draft, machine: Machine, memory: VmMemory) -> None:
    if memory.intent in OURS_TO_STOP:
        draft.note(machine.name, started_at=None, running_since=None)
    elif memory.started_at is not None and memory.running_since is None:
        newest = machine.newest
        if newest is not None and machine.is_newer(newest):
            draft.note(
                machine.name, running_since=newest.started, boot_id=newest.boot_id
            )  # while nobody looked
        else:
            _note_refused_start(draft, machine, memory.started_at)


def _note_refused_start(draft: Draft, machine: Machine, started_at: float) -> None:
    """Accepted, and yet it did not start: the cloud said no later."""
    has_failed = machine.listed.provisioning == "failed"
    if not has_failed and draft.now - started_at < START_LAG_SECONDS:
        return
    draft.note(machine.name, started_at=None, refused_starts=machine.ours.refused_starts + 1)
    _close(draft, machine, "accepted, then not started")


def _note_never_made(draft: Draft, machine: Machine, memory: VmMemory) -> None:
    """Its creation was accepted and failed later: what is left of it has a name and no hardware."""
    if memory.intent is Intent.RUN and memory.running_since is None:
        _close(draft, machine, "accepted, then not created")
        why = machine.listed.error_code or "its creation failed"
        draft.want(machine.name, Intent.RELEASE, f"it never came to be: {why}")


def _close(draft: Draft, machine: Machine, otherwise: str) -> None:
    offer, reason = machine.listed.offer, machine.listed.error_code or otherwise
    draft.offers[offer] = offers.refused(offer, draft.offer(offer), draft.now, reason)


def _open_offers(draft: Draft) -> None:
    """A probe that is on its way for a tick without a refusal got through; where there was trouble, only one
    that reports, since a machine whose system never comes up can be started as often as one likes."""
    machines = {machine.name: machine for machine in draft.machines()}
    wanted = {pool.offer for pool in draft.policy.pools}
    is_mended = any(wish.wish is Wish.UP for wish in draft.seen.wishes or ())
    for offer, memory in list(draft.offers.items()):
        if offer not in wanted:
            del draft.offers[offer]
            if memory.trouble:
                draft.do(Verb.RESOLVE, f"offer:{offer}", "no pool asks for it any more")
        elif memory.trouble and is_mended:
            del draft.offers[offer]
            draft.do(Verb.RESOLVE, f"offer:{offer}", "a person says that it is mended: it is tried again")
        elif memory.probe:
            probing = draft.vms.get(memory.probe)
            asked = machines.get(memory.probe)
            if asked is not None and (asked.live if memory.trouble else asked.is_allocated):
                draft.offers[offer] = offers.got_through(memory)
                if memory.trouble:
                    draft.do(Verb.RESOLVE, f"offer:{offer}", "a machine could be started there again")
            elif probing is None or probing.started_at is None:
                draft.offers[offer] = offers.probing(memory, "")  # it does not ask: somebody else does
        elif memory.trouble and draft.now < memory.closed_until:
            draft.do(Verb.ALERT, f"offer:{offer}", f"nothing can be started of {offer}: {memory.trouble}")
