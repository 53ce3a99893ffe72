"""What is not needed any more: idle machines after their grace, those above a lowered limit, deallocated ones.

Nothing that holds a tile is let go: it drains.
"""

from __future__ import annotations

from collections import Counter

from fleetctl.controller import offers
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.snapshot import Power

TICKS_TO_DRAIN = 3
"""Draining an idle machine begins that much before its grace ends, so that nothing is billed after it: workers look
for a drain twice a minute, and the tick after that sees that they left. Half of a short grace is kept all the same."""


def shrink(draft: Draft, up: list[Machine]) -> None:
    """Drain machines that were idle for the grace, but for each pool's minimum. Called while nothing waits."""
    grace = draft.policy.patience.idle_grace
    kept_seconds = max(grace - TICKS_TO_DRAIN * draft.policy.patience.tick, grace / 2)
    in_pool = Counter(machine.pool.name for machine in up if machine.pool)
    idle = [
        (machine.ours.idle_since, machine.name, machine.pool)
        for machine in up
        if machine.held == 0 and machine.live and machine.ours.idle_since is not None and machine.pool
    ]
    for since, name, pool in sorted(idle, key=lambda entry: entry[:2]):
        idle_seconds = draft.now - since
        if idle_seconds >= kept_seconds and in_pool[pool.name] > pool.min_vms:
            in_pool[pool.name] -= 1
            draft.want(name, Intent.DRAIN, f"no tile for {idle_seconds:.0f} s")


def trim(draft: Draft) -> None:
    """A pool that was taken out of the fleet file, or a limit that was lowered: the surplus drains, idle ones first."""
    policy = draft.policy
    left_of_pool = Counter({pool.name: pool.max_vms for pool in policy.pools})
    left = policy.limits.vms
    running = [m for m in draft.machines() if draft.intent(m.name) is Intent.RUN and m.is_allocated]
    for machine in sorted(running, key=lambda m: (m.held == 0, m.name)):
        pool = machine.pool
        if pool is None:
            draft.want(machine.name, Intent.DRAIN, "its pool is not in the fleet file any more")
        elif left <= 0 or left_of_pool[pool.name] <= 0:
            draft.want(machine.name, Intent.DRAIN, "it is above the fleet file's limits")
        else:
            left -= 1
            left_of_pool[pool.name] -= 1


def release_unneeded(draft: Draft, fleet: list[Machine], *, missing: int) -> None:
    """Deallocated machines keep quota and disks: let them go when they are not needed, or serve better elsewhere."""
    taken = Counter(machine.pool.name for machine in draft.machines() if machine.pool and machine.memory)
    for machine in fleet:
        memory = draft.vms[machine.name]
        if machine.power is not Power.DEALLOCATED or memory.started_at is not None:
            continue
        if missing > 0:
            if _serves_better_elsewhere(draft, machine, taken):
                refusals = draft.offer(machine.listed.offer).refusals
                reason = f"refused {refusals} times; its quota serves elsewhere"
                draft.want(machine.name, Intent.RELEASE, reason)
                missing -= machine.slots
            else:
                draft.note(machine.name, idle_since=None)
        elif memory.idle_since is None:
            draft.note(machine.name, idle_since=draft.now)
        elif draft.now - memory.idle_since >= draft.policy.patience.idle_grace:
            draft.want(machine.name, Intent.RELEASE, "deallocated, and nothing is left for it to do")


def _serves_better_elsewhere(draft: Draft, machine: Machine, taken: Counter[str]) -> bool:
    """Refused often, while another pool that shares its quota has room."""
    here = machine.listed.offer
    if draft.offer(here).refusals < draft.policy.limits.refused_starts:
        return False
    return any(
        pool.offer != here
        and (pool.offer.region, pool.offer.priority) == (here.region, here.priority)
        and offers.is_open(draft.offer(pool.offer))
        and taken[pool.name] < pool.max_vms
        for pool in draft.policy.pools
    )
