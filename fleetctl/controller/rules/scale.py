"""As many machines as there is work for: restarts before new ones, the cheapest offers that have room first.

Grows to the whole demand in one tick; what is not needed any more is `let_go.py`'s.
"""

from __future__ import annotations

from itertools import count

from fleetctl.controller.actions import Verb
from fleetctl.controller.demand import waiting_tiles
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent, VmMemory
from fleetctl.controller.policy import Policy, Pool, vm_name
from fleetctl.controller.rules.let_go import release_unneeded, shrink, trim
from fleetctl.controller.rules.room import Room
from fleetctl.controller.snapshot import Power, Snapshot

UP = frozenset({Power.CREATING, Power.STARTING, Power.RUNNING})


def scale(draft: Draft) -> None:
    """Start, create, or let go."""
    trim(draft)
    fleet = [machine for machine in draft.machines() if draft.intent(machine.name) is Intent.RUN]
    up = [machine for machine in fleet if is_up(draft, machine)]
    waiting = waiting_tiles(draft.seen, draft.policy.patience.silent_limit)
    least = sum(pool.min_vms * pool.slots for pool in draft.policy.pools)
    free = sum(machine.free_slots for machine in up)
    missing = max(waiting - free, least - sum(machine.slots for machine in up))
    if missing > 0:
        is_asked = {machine.name for machine in up}
        missing = add(draft, [machine for machine in fleet if machine.name not in is_asked], missing)
    elif waiting == 0:
        shrink(draft, up)
    release_unneeded(draft, fleet, missing=missing)


def is_up(draft: Draft, machine: Machine) -> bool:
    """Works, or was asked to and may still come up."""
    memory = draft.vms[machine.name]
    return machine.power in UP or (memory.started_at is not None and machine.power is not Power.STOPPED)


def add(draft: Draft, down: list[Machine], missing: int) -> int:
    """Start machines that are down, then create others. Returns the slots that are still missing."""
    room = Room(draft)
    pools = preferred(draft.policy, draft.seen)
    missing = _restart(draft, room, pools, down, missing)
    for pool in pools:
        missing = _create(draft, room, pool, missing)
    return missing


def _restart(draft: Draft, room: Room, pools: list[Pool], down: list[Machine], missing: int) -> int:
    """The best offers first."""
    rank = {pool.name: place for place, pool in enumerate(pools)}
    ready = [
        (rank[machine.pool.name], machine.name, machine)
        for machine in down
        if machine.pool is not None and machine.power is Power.DEALLOCATED
    ]
    for _, name, machine in sorted(ready, key=lambda entry: entry[:2]):
        if missing <= 0:
            break
        if room.start(machine.listed.offer, name):
            draft.note(name, started_at=draft.now, called_at=draft.now, idle_since=None, boot_id="")
            draft.do(Verb.START, name, _why_started(draft.vms[name], missing))
            missing -= machine.slots
    return missing


def _why_started(memory: VmMemory, missing: int) -> str:
    if memory.evictions:
        return f"evicted {memory.evictions} times, and {missing} more slots are wanted"
    return f"{missing} more slots are wanted"


def _create(draft: Draft, room: Room, pool: Pool, missing: int) -> int:
    """New machines in one pool, as far as it has room, quota and money."""
    names = (vm_name(draft.policy.fleet, pool.name, number) for number in count(1))
    free_names = (name for name in names if name not in draft.vms)
    while missing > 0 and room.has_room(pool):
        name = next(free_names)
        if not room.start(pool.offer, name):
            break
        room.take(pool)
        reason = f"{missing} more slots are wanted"
        draft.create(name, reason)
        missing -= pool.slots
    return missing


def preferred(policy: Policy, seen: Snapshot) -> list[Pool]:
    """The pools by what a tile costs there, the cheapest first; without prices or speeds as the file has them."""

    def usd_per_tile(pool: Pool) -> float:
        price = seen.usd_per_hour.get(pool.offer)
        if price is None or not pool.tiles_per_slot_hour:
            return float("inf")
        return price / (pool.tiles_per_slot_hour * pool.slots)

    return sorted(policy.pools, key=usd_per_tile)
