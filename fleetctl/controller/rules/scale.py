"""As many machines as there is work for: restarts before new ones, the cheapest offers that have room first.

Grows to the whole demand in one tick; shrinks one idle machine at a time's grace, never one that holds a tile.
"""

from __future__ import annotations

from collections import Counter
from itertools import count

from fleetctl.controller import offers
from fleetctl.controller.actions import Verb
from fleetctl.controller.demand import waiting_tiles, wanted_slots
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent, VmMemory
from fleetctl.controller.policy import Offer, Policy, Pool, Priority, vm_name
from fleetctl.controller.snapshot import Power, Snapshot

UP = frozenset({Power.CREATING, Power.STARTING, Power.RUNNING})
TICKS_TO_DRAIN = 2
"""Draining an idle machine begins that much before its grace ends, so that nothing is billed after it."""


def scale(draft: Draft) -> None:
    """Start, create, or let go."""
    live_seconds = draft.policy.patience.silent_limit
    fleet = [machine for machine in draft.machines() if draft.intent(machine.name) is Intent.RUN]
    wanted = wanted_slots(draft.seen, live_seconds)
    up = [machine for machine in fleet if _is_up(draft, machine)]
    missing = max(wanted, _least_slots(draft.policy)) - sum(machine.slots for machine in up)
    if missing > 0:
        missing = _restart(draft, [machine for machine in fleet if machine not in up], missing)
        _grow(draft, missing)
    elif waiting_tiles(draft.seen, live_seconds) == 0:
        _shrink(draft, up, spare=-missing)
    _release_unneeded(draft, fleet, is_short=missing > 0)


def _is_up(draft: Draft, machine: Machine) -> bool:
    """Works, or was asked to and may still come up."""
    memory = draft.vms[machine.name]
    return machine.power in UP or (memory.started_at is not None and machine.power is not Power.STOPPED)


def _least_slots(policy: Policy) -> int:
    return sum(pool.min_vms * pool.slots for pool in policy.pools)


def _restart(draft: Draft, down: list[Machine], missing: int) -> int:
    """Ask deallocated machines to start, the best offers first. Returns the slots that are still missing."""
    ready = [m for m in down if m.pool is not None and m.power is Power.DEALLOCATED]
    rank = {pool.name: place for place, pool in enumerate(preferred(draft.policy, draft.seen))}
    for machine in sorted(ready, key=lambda m: (rank[m.pool.name] if m.pool else 0, m.name)):
        if missing <= 0:
            break
        if _take_room(draft, machine.listed.offer, machine.name):
            draft.note(machine.name, started_at=draft.now, called_at=draft.now, idle_since=None)
            draft.do(Verb.START, machine.name, _why_started(draft.vms[machine.name], missing))
            missing -= machine.slots
    return missing


def _why_started(memory: VmMemory, missing: int) -> str:
    if memory.evictions:
        return f"evicted {memory.evictions} times, and {missing} more slots are wanted"
    return f"{missing} more slots are wanted"


def _grow(draft: Draft, missing: int) -> None:
    """Create machines in the pools that have room, quota and a price, until the demand is met."""
    free = _Free.of(draft)
    for pool in preferred(draft.policy, draft.seen):
        numbers = (n for n in count(1) if vm_name(draft.policy.fleet, pool.name, n) not in draft.vms)
        while missing > 0 and free.has_room(pool):
            name = vm_name(draft.policy.fleet, pool.name, next(numbers))
            if not _take_room(draft, pool.offer, name):
                break
            free.take(pool)
            draft.vms[name] = VmMemory(
                Intent.RUN,
                f"{missing} more slots were wanted",
                draft.now,
                started_at=draft.now,
                called_at=draft.now,
            )
            draft.do(Verb.CREATE, name, f"{missing} more slots are wanted")
            missing -= pool.slots


def _take_room(draft: Draft, offer: Offer, name: str) -> bool:
    """May that machine be started now? Counts it, and lets it be the probe of an offer that is doubtful."""
    memory = draft.offer(offer)
    if offers.room(memory, draft.now) == 0:
        return False
    draft.offers[offer] = offers.taken(memory, name)
    return True


def _shrink(draft: Draft, up: list[Machine], spare: int) -> None:
    """Drain machines that were idle for the grace, as long as the others suffice."""
    grace = draft.policy.patience.idle_grace - TICKS_TO_DRAIN * draft.policy.patience.tick
    in_pool = Counter(machine.pool.name for machine in up if machine.pool)
    idle = [m for m in up if m.held == 0 and m.live and m.ours.idle_since is not None]
    for machine in sorted(idle, key=lambda m: (m.ours.idle_since or 0.0, m.name)):
        idle_seconds = draft.now - (machine.ours.idle_since or draft.now)
        pool = machine.pool
        if (
            idle_seconds < grace
            or machine.slots > spare
            or pool is None
            or in_pool[pool.name] <= pool.min_vms
        ):
            continue
        in_pool[pool.name] -= 1
        spare -= machine.slots
        draft.want(machine.name, Intent.DRAIN, f"no tile for {idle_seconds:.0f} s")


def _release_unneeded(draft: Draft, fleet: list[Machine], *, is_short: bool) -> None:
    """Deallocated machines keep quota and disks: let them go when they are not needed, or serve better elsewhere."""
    for machine in fleet:
        memory = draft.vms[machine.name]
        if machine.power is not Power.DEALLOCATED or memory.started_at is not None:
            continue
        if is_short:
            if _serves_better_elsewhere(draft, machine):
                reason = (
                    f"refused {draft.offer(machine.listed.offer).refusals} times; its quota serves elsewhere"
                )
                draft.want(machine.name, Intent.RELEASE, reason)
            elif memory.idle_since is not None:
                draft.note(machine.name, idle_since=None)
        elif memory.idle_since is None:
            draft.note(machine.name, idle_since=draft.now)
        elif draft.now - memory.idle_since >= draft.policy.patience.idle_grace:
            draft.want(machine.name, Intent.RELEASE, "deallocated, and nothing is left for it to do")


def _serves_better_elsewhere(draft: Draft, machine: Machine) -> bool:
    """Refused often, while another pool that shares its quota has room."""
    here = machine.listed.offer
    if draft.offer(here).refusals < draft.policy.limits.refused_starts:
        return False
    return any(
        pool.offer != here
        and (pool.offer.region, pool.offer.priority) == (here.region, here.priority)
        and offers.room(draft.offer(pool.offer), draft.now) is None
        for pool in draft.policy.pools
    )


def preferred(policy: Policy, seen: Snapshot) -> list[Pool]:
    """The pools by what a tile costs there, the cheapest first; without prices or speeds as the file has them."""

    def usd_per_tile(pool: Pool) -> float:
        price = seen.usd_per_hour.get(pool.offer)
        if price is None or not pool.tiles_per_slot_hour:
            return float("inf")
        return price / (pool.tiles_per_slot_hour * pool.slots)

    return sorted(policy.pools, key=usd_per_tile)


class _Free:
    """What may still be created: machines of pools and fleet, vCPUs of regions."""

    def __init__(self, draft: Draft) -> None:
        policy, seen = draft.policy, draft.seen
        self._vms = policy.limits.vms - len(draft.vms)
        self._of_pool = Counter({pool.name: pool.max_vms for pool in policy.pools})
        self._vcpus: Counter[tuple[str, Priority]] = Counter()
        quotas = ((seen.spot_quota, Priority.SPOT), (seen.regular_quota, Priority.REGULAR))
        for by_region, priority in quotas:
            for region, quota in by_region.items():
                self._vcpus[region, priority] = quota.limit - quota.used
        self._own = Counter(policy.limits.vcpus_by_region)
        self._capped = frozenset(policy.limits.vcpus_by_region)
        for machine in draft.machines():
            if machine.pool is not None and machine.name in draft.vms:
                self._of_pool[machine.pool.name] -= 1
                self._own[machine.pool.offer.region] -= machine.pool.vcpus
                if machine.seen is None:  # asked for, and not in the subscription's account yet
                    self._vcpus[machine.pool.offer.region, machine.pool.offer.priority] -= machine.pool.vcpus

    @classmethod
    def of(cls, draft: Draft) -> _Free:
        return cls(draft)

    def has_room(self, pool: Pool) -> bool:
        region = pool.offer.region
        own = self._own[region] if region in self._capped else pool.vcpus
        quota = self._vcpus[region, pool.offer.priority]
        return self._vms > 0 and self._of_pool[pool.name] > 0 and min(own, quota) >= pool.vcpus

    def take(self, pool: Pool) -> None:
        self._vms -= 1
        self._of_pool[pool.name] -= 1
        self._own[pool.offer.region] -= pool.vcpus
        self._vcpus[pool.offer.region, pool.offer.priority] -= pool.vcpus
