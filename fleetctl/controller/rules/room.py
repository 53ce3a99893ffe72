"""What may still be started in this tick: machines of pools and fleet, vCPUs of regions, offers, money."""

from __future__ import annotations

from collections import Counter

from fleetctl.controller import offers
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.policy import Offer, Pool, Priority
from fleetctl.controller.rules.charge import price_of
from fleetctl.controller.rules.reserve import START_HOURS, job_start_hours, jobs_usd_left, usd_left

Place = tuple[str, Priority]


class Room:
    """Counts down as machines are started."""

    def __init__(self, draft: Draft) -> None:
        limits = draft.policy.limits
        self._draft = draft
        self._vms = limits.vms - len(draft.vms)
        self._of_pool = Counter({pool.name: pool.max_vms for pool in draft.policy.pools})
        self._own_vcpus = Counter(limits.vcpus_by_region)
        self._vcpus = _free_vcpus(draft)
        self._usd = usd_left(draft)
        self._jobs_usd = jobs_usd_left(draft)
        self._job_start_hours = job_start_hours(draft)
        for machine in draft.machines():
            if machine.pool is not None and machine.memory is not None:
                self._of_pool[machine.pool.name] -= 1
                self._own_vcpus[machine.pool.offer.region] -= machine.pool.vcpus

    def has_room(self, pool: Pool) -> bool:
        """May one more machine of that pool exist?"""
        region = pool.offer.region
        is_capped = region in self._draft.policy.limits.vcpus_by_region
        own = self._own_vcpus[region] if is_capped else pool.vcpus
        vcpus = min(own, self._vcpus[region, pool.offer.priority])
        return self._vms > 0 and self._of_pool[pool.name] > 0 and vcpus >= pool.vcpus

    def take(self, pool: Pool) -> None:
        """One more does."""
        self._vms -= 1
        self._of_pool[pool.name] -= 1
        self._own_vcpus[pool.offer.region] -= pool.vcpus
        self._vcpus[pool.offer.region, pool.offer.priority] -= pool.vcpus

    def start(self, offer: Offer, name: str) -> bool:
        """May that machine be started now? If so it is counted, or is the probe of an offer that is doubtful."""
        memory, usd_per_hour = self._draft.offer(offer), price_of(self._draft, offer)
        cost, jobs_cost = usd_per_hour * START_HOURS, usd_per_hour * self._job_start_hours
        is_affordable = cost <= self._usd and jobs_cost <= self._jobs_usd
        if not is_affordable or not offers.may_start(memory, self._draft.now):
            return False
        self._usd -= cost
        self._jobs_usd -= jobs_cost
        self._draft.offers[offer] = offers.started(memory, name)
        return True


def _free_vcpus(draft: Draft) -> Counter[Place]:
    """By the subscription's account, which may lag behind us, and by ours, which does not know the others."""
    own: Counter[Place] = Counter()
    unseen: Counter[Place] = Counter()
    for machine in draft.machines():
        place = _place(machine)
        if place and machine.pool:
            own[place] += machine.pool.vcpus
            if machine.seen is None:
                unseen[place] += machine.pool.vcpus
    free: Counter[Place] = Counter()
    quotas = ((draft.seen.spot_quota, Priority.SPOT), (draft.seen.regular_quota, Priority.REGULAR))
    for by_region, priority in quotas:
        for region, quota in by_region.items():
            place = region, priority
            free[place] = quota.limit - max(quota.used + unseen[place], own[place])
    return free


def _place(machine: Machine) -> Place | None:
    return (machine.pool.offer.region, machine.pool.offer.priority) if machine.pool else None
