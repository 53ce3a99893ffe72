"""Machines that do not do their work: moved to other hardware, and after some moves left for a person to look at.

A bad machine fails faster than a good one works, so a report of unfitness is believed at once. Silence is
believed later, and not at all when most of those that ever spoke fall silent together, nor soon after: then it
is the way that heartbeats take, not the machines.
"""

from __future__ import annotations

from contract.heartbeat import WorkerState
from fleetctl.controller import offers
from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.snapshot import Power

REHOST_MEMORY_SECONDS = 24 * 3600.0
MOST_SILENT_SHARE = 0.5
FEW_MACHINES = 3
"""Of so few, all may fall silent by themselves."""
FAILED_INSTALLATIONS = frozenset({"osprovisioningtimedout", "vmextensionprovisioningerror"})


def mend(draft: Draft) -> None:
    """Rehost what is unfit, silent, stuck, or never came up."""
    running = [machine for machine in draft.machines() if _should_work(machine)]
    _doubt_silence(draft, running)
    for machine in running:
        trouble = _unfitness(machine) or _stuck(draft, machine) or _silence(draft, machine)
        if trouble:
            rehost(draft, machine, trouble)
    for machine in draft.machines():
        _give_up_installing(draft, machine)


def rehost(draft: Draft, machine: Machine, trouble: str) -> None:
    """Other hardware; or quarantine, when that did not help."""
    recent = tuple(at for at in machine.ours.rehosts if draft.now - at < REHOST_MEMORY_SECONDS)
    limit = draft.policy.limits.rehosts
    if len(recent) >= limit:
        reason = f"{trouble}; rehosted {len(recent)} times within a day, that is the limit"
        draft.want(machine.name, Intent.QUARANTINE, reason)
        draft.do(Verb.ALERT, f"quarantine:{machine.name}", reason)
        return
    draft.want(machine.name, Intent.REHOST, trouble)
    draft.note(machine.name, rehosts=(*recent, draft.now))


def _should_work(machine: Machine) -> bool:
    memory = machine.memory
    return memory is not None and memory.intent is Intent.RUN and machine.power is Power.RUNNING


def _doubt_silence(draft: Draft, running: list[Machine]) -> None:
    """Blame no machine while heartbeats do not get through, nor before all had time to speak again."""
    patience = draft.policy.patience
    spoke = [machine for machine in running if has_spoken(machine)]
    silent = sum(not machine.live for machine in spoke)
    if draft.seen.workers is None:
        draft.blind_until = draft.now + patience.silent_limit
    elif len(spoke) > FEW_MACHINES and silent > MOST_SILENT_SHARE * len(spoke):
        draft.blind_until = draft.now + patience.silent_limit
        reason = f"{silent} of {len(spoke)} machines fell silent together: no machine is blamed for that"
        draft.do(Verb.ALERT, "silent-fleet", reason)


def has_spoken(machine: Machine) -> bool:
    """Has a worker reported since the machine was last started?"""
    return machine.newest is not None and machine.is_newer(machine.newest)


def _unfitness(machine: Machine) -> str:
    for worker in machine.live:
        if worker.state is WorkerState.UNFIT and machine.is_newer(worker):
            return f"{worker.worker} is unfit: {worker.reason}"
    return ""


def _stuck(draft: Draft, machine: Machine) -> str:
    limit = draft.policy.patience.stage_limit
    for worker in machine.live:
        if worker.held and worker.oldest_stage_seconds > limit:
            return f"a tile of {worker.worker} is in one stage for {worker.oldest_stage_seconds:.0f} s"
    return ""


def _silence(draft: Draft, machine: Machine) -> str:
    """Why an unreachable machine is not a healthy one; empty while it may still be booting."""
    if machine.live or draft.now < draft.blind_until:
        return ""
    if machine.newest is not None and has_spoken(machine):
        return f"no heartbeat for {machine.newest.age_seconds:.0f} s"
    began = machine.ours.started_at or machine.ours.running_since or draft.now
    if draft.now - began <= draft.policy.patience.boot_limit:
        return ""
    _doubt_image(draft, machine)
    return f"running, and no heartbeat {draft.now - began:.0f} s after its start"


def _give_up_installing(draft: Draft, machine: Machine) -> None:
    """A machine whose system never came up is made anew: starting it again would not finish its installation."""
    memory, seen = machine.memory, machine.seen
    if memory is None or seen is None or memory.intent is not Intent.RUN or seen.provisioning != "failed":
        return
    if seen.error_code.lower() in FAILED_INSTALLATIONS and not machine.live:
        draft.want(machine.name, Intent.RELEASE, f"its system did not come up: {seen.error_code}")
        _doubt_image(draft, machine)


def _doubt_image(draft: Draft, machine: Machine) -> None:
    """Where no machine of an offer ever reports, more of them would only cost more."""
    offer = machine.listed.offer
    if not any(other.live for other in draft.machines() if other.seen and other.seen.offer == offer):
        reason = "none of its machines reports: is the image right, and may they reach the storage?"
        draft.offers[offer] = offers.in_trouble(draft.offer(offer), draft.now, reason)
