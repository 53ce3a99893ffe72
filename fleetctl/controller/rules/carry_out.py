"""From what is meant to what is called: each intent's next step, repeated until the listing shows its end."""

from __future__ import annotations

from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.rules.health import rehost
from fleetctl.controller.snapshot import Power

REPEAT_SECONDS = 120.0
"""A call that changed nothing for so long is made again."""
BUSY = frozenset({Power.CREATING, Power.STARTING, Power.STOPPING, Power.DEALLOCATING, Power.DELETING})
"""On their way: another call now would only conflict."""


def carry_out(draft: Draft) -> None:
    """The calls for every machine that is not simply meant to run."""
    for machine in draft.machines():
        if machine.memory is None or machine.seen is None or machine.power in BUSY:
            continue
        intent = machine.memory.intent
        if intent is Intent.RELEASE:
            _release(draft, machine)
        elif machine.power is Power.UNKNOWN:
            continue  # the listing had no power state: it may well be working
        elif intent in _STEPS:
            _STEPS[intent](draft, machine)
        elif machine.power is Power.STOPPED:
            _let_go_of_stopped(draft, machine)


def _drain(draft: Draft, machine: Machine) -> None:
    """Let its tiles be finished; gone once it holds none and takes none."""
    memory = machine.ours
    if machine.power is not Power.RUNNING:
        why = memory.reason
    elif memory.called_at is None or not _has_left(draft, machine):
        _call(draft, machine, Verb.DRAIN)
        return
    else:
        why = f"{memory.reason}; drained"
    draft.want(machine.name, Intent.RELEASE, why)
    _call(draft, machine, Verb.DELETE)


def _has_left(draft: Draft, machine: Machine) -> bool:
    """By the last words of its workers, or because they are silent although others are heard."""
    if draft.seen.workers is None:
        return False
    return machine.has_left or (not machine.live and draft.now >= draft.blind_until)


def _release(draft: Draft, machine: Machine) -> None:
    """Delete, but for a machine that took tiles after all: only want of money ends those."""
    if machine.held and machine.power is Power.RUNNING and not draft.is_broke:
        draft.want(machine.name, Intent.DRAIN, f"{machine.ours.reason}; it holds {machine.held} tiles")
        _call(draft, machine, Verb.DRAIN)
    else:
        _call(draft, machine, Verb.DELETE)


def _let_go(draft: Draft, machine: Machine) -> None:
    """Deallocate, and leave it so."""
    if machine.power is not Power.DEALLOCATED and not _still_drains(draft, machine):
        _call(draft, machine, Verb.DEALLOCATE)


def _rehost(draft: Draft, machine: Machine) -> None:
    """Deallocate; deallocated machines start on whatever hardware has room."""
    if machine.power is Power.DEALLOCATED:
        draft.want(machine.name, Intent.RUN, f"rehosted: {machine.ours.reason}")
        draft.note(machine.name, started_at=None, running_since=None, idle_since=None)
    elif not _still_drains(draft, machine):
        _call(draft, machine, Verb.DEALLOCATE)


def _still_drains(draft: Draft, machine: Machine) -> bool:
    """Other slots of a machine with a sick one may hold tiles: they finish first, for as long as a tile takes."""
    if machine.held == 0 and draft.seen.workers is not None:
        return False
    waited = draft.now - machine.ours.since
    if waited > 2 * (draft.seen.tile_seconds or draft.policy.patience.idle_grace):
        return False
    _call(draft, machine, Verb.DRAIN)
    return True


def _let_go_of_stopped(draft: Draft, machine: Machine) -> None:
    """Stopped from inside is billed like running: deallocated after a while, then started where it is needed."""
    if machine.ours.idle_since is None:
        draft.note(machine.name, idle_since=draft.now)
    elif draft.now - machine.ours.idle_since >= draft.policy.patience.stopped_limit:
        rehost(draft, machine, "it stopped without being deallocated, which is billed")
        _call(draft, machine, Verb.DEALLOCATE)


def _call(draft: Draft, machine: Machine, verb: Verb) -> None:
    memory = draft.vms[machine.name]
    is_made = memory.called == verb.value and memory.called_at is not None
    if is_made and draft.now - (memory.called_at or 0.0) < REPEAT_SECONDS:
        return
    draft.note(machine.name, called_at=draft.now, called=verb.value)
    draft.do(verb, machine.name, memory.reason)


_STEPS = {
    Intent.DRAIN: _drain,
    Intent.PARK: _let_go,
    Intent.QUARANTINE: _let_go,
    Intent.REHOST: _rehost,
}
