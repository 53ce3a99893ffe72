"""From what is meant to what is called: each intent's next step, repeated until the listing shows its end."""

from __future__ import annotations

from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
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
        step = _STEPS.get(machine.memory.intent)
        if step is not None:
            step(draft, machine)
        elif machine.power is Power.STOPPED:
            _let_go_of_stopped(draft, machine)


def _drain(draft: Draft, machine: Machine) -> None:
    """Let its tiles be finished; gone once it holds none and takes none."""
    if machine.power is not Power.RUNNING:
        draft.want(machine.name, Intent.RELEASE, machine.ours.reason)
        _release(draft, machine)
    elif machine.has_left and machine.ours.called_at is not None:
        draft.want(machine.name, Intent.RELEASE, f"{machine.ours.reason}; drained")
        _release(draft, machine)
    else:
        _call(draft, machine, Verb.DRAIN)


def _release(draft: Draft, machine: Machine) -> None:
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
    if machine.held == 0:
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
        draft.want(machine.name, Intent.REHOST, "it stopped without being deallocated, which is billed")
        _call(draft, machine, Verb.DEALLOCATE)


def _call(draft: Draft, machine: Machine, verb: Verb) -> None:
    memory = draft.vms[machine.name]
    if memory.called_at is not None and draft.now - memory.called_at < REPEAT_SECONDS:
        return
    draft.note(machine.name, called_at=draft.now)
    draft.do(verb, machine.name, memory.reason)


_STEPS = {
    Intent.DRAIN: _drain,
    Intent.RELEASE: _release,
    Intent.PARK: _let_go,
    Intent.QUARANTINE: _let_go,
    Intent.REHOST: _rehost,
}
