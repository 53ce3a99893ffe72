"""What a person asked for goes before what the fleet would do by itself, but not before its budget."""

from __future__ import annotations

from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.snapshot import Power
from fleetctl.controller.wish import Wish, WishSeen

BY_DOWN = "down"
"""What stopped a fleet that a person took down."""
LEAVING = frozenset({Power.STOPPING, Power.DEALLOCATING, Power.CREATING, Power.UNKNOWN})
"""A start would only conflict: it waits for the next tick."""
STOPPED = frozenset({Power.STOPPED, Power.DEALLOCATED})


def obey(draft: Draft) -> None:
    """Take up what was asked since the last tick, in the order of asking."""
    _keep_down(draft)
    machines = {machine.name: machine for machine in draft.machines()}
    for wish in draft.seen.wishes or ():
        if wish.wish is Wish.DOWN:
            continue
        if wish.wish is Wish.UP:  # by `follow.py`, before anything else of this tick
            _forget(draft, wish, "offers that were closed are tried again")
            continue
        machine = machines.get(wish.vm)
        if machine is None or machine.memory is None or machine.power is Power.DELETING:
            _forget(draft, wish, "there is no such machine")
        elif _take_up(draft, machine, wish):
            _forget(draft, wish, f"{wish.wish.value} of {wish.vm} is taken up")


def _keep_down(draft: Draft) -> None:
    """A fleet that was taken down stays so until it is lifted, also while nobody can look whether it was."""
    wishes = draft.seen.wishes
    down = next((wish for wish in wishes or () if wish.wish is Wish.DOWN), None)
    was_down = wishes is None and draft.memory.stopped_by == BY_DOWN
    if draft.stopped_by or not (down or was_down):
        return
    draft.stopped_by = BY_DOWN
    draft.stopped_for = down.reason if down else draft.memory.stopped_for
    for machine in draft.machines():
        if draft.intent(machine.name) in (Intent.PARK, Intent.QUARANTINE):
            draft.want(machine.name, Intent.RELEASE, draft.stopped_for)


def _take_up(draft: Draft, machine: Machine, wish: WishSeen) -> bool:
    """False: not yet."""
    if wish.wish is Wish.START:
        return _start(draft, machine, wish.reason)
    draft.want(machine.name, Intent.DRAIN if wish.wish is Wish.DRAIN else Intent.PARK, wish.reason)
    return True


def _start(draft: Draft, machine: Machine, reason: str) -> bool:
    """With a clean slate: what we held against it is forgiven. While the fleet is stopped it waits."""
    if draft.stopped_for or machine.power in LEAVING:
        return False
    draft.want(machine.name, Intent.RUN, reason)
    draft.note(machine.name, rehosts=(), unexplained_stops=0, refused_starts=0, idle_since=None)
    draft.do(Verb.UNDRAIN, machine.name, reason)
    if machine.power in STOPPED:
        draft.note(machine.name, started_at=draft.now, running_since=None, called_at=draft.now)
        draft.do(Verb.START, machine.name, reason)
    return True


def _forget(draft: Draft, wish: WishSeen, why: str) -> None:
    draft.do(Verb.FORGET_WISH, wish.blob, why)
