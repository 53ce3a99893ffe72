"""Every billed second and byte is charged to somebody, once, under one word: what is paid is the sum of its kinds.

A tick charges the time since the last one by what it sees now. A machine that appeared meanwhile is charged for a
little too much and one that vanished for as much too little, so over a day both are even.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from contract.errors import BadInput
from contract.heartbeat import WorkerState
from fleetctl.cloud.sizes import vcpus_of
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent, Spend, VmMemory
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Power
from fleetctl.money.statement import OVERHEAD

SECONDS_PER_HOUR = 3600.0
DISK_GB = 64
DISK_USD_PER_HOUR = 4.80 / 730
"""A standard SSD of so many GB per month (E6, East US list price, rounded), also while its machine is deallocated."""
DEAR_USD_PER_VCPU_HOUR = 0.12
"""Where nobody knows a price: more than spot machines of any size here cost, so that budgets err early."""
UNKNOWN_VCPUS = 16
PRICE_PATIENCE_SECONDS = 120.0
"""So long the first charge of an offer waits for the list of prices: a guess may be ten times the price."""
_OVERHEAD_ONLY: Mapping[str, float] = {OVERHEAD: 1.0}
USEFUL, EVICTED, UNFIT, IDLE, BOOT, DISKS = "useful", "evicted", "unfit", "idle", "boot", "disks"
TRAFFIC = "traffic"
BYTES_PER_GB = 1e9


@dataclass
class _Charges:
    """Sums that grow; begin as what was spent before."""

    spend: Spend
    paid: float = 0.0
    """In this tick."""
    by_kind: defaultdict[str, float] = field(init=False)
    by_job: defaultdict[str, float] = field(init=False)
    vm_hours: defaultdict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.by_kind = defaultdict(float, self.spend.by_kind)
        self.by_job = defaultdict(float, self.spend.by_job)
        self.vm_hours = defaultdict(float, self.spend.vm_hours)

    def add(self, usd_by_kind: Mapping[str, float], shares: Mapping[str, float]) -> None:
        usd = 0.0
        for kind, of_kind in usd_by_kind.items():
            usd += of_kind
            self.by_kind[kind] += of_kind
        self.paid += usd
        for job, share in shares.items():
            self.by_job[job] += usd * share

    def total(self, now: float) -> Spend:
        day = utc_day(now)
        return replace(
            self.spend,
            paid=self.spend.paid + self.paid,
            by_kind=dict(self.by_kind),
            by_job=dict(self.by_job),
            by_day={**self.spend.by_day, day: self.spend.by_day.get(day, 0.0) + self.paid},
            vm_hours=dict(self.vm_hours),
            counted_until=now,
        )


def charge_time(draft: Draft) -> None:
    """Charge the time since the last tick at the prices of now; what waits for a price is charged by a later tick."""
    since = draft.memory.spend.counted_until
    if 0 < draft.now - since < PRICE_PATIENCE_SECONDS and _waits_for_price(draft):
        return
    hours = max(0.0, draft.now - since) / SECONDS_PER_HOUR if since else 0.0
    charges = _Charges(draft.memory.spend)
    for machine in draft.machines():
        if machine.seen is None or machine.power is Power.DELETING:
            continue
        disk_gb = machine.pool.disk_gb if machine.pool else DISK_GB
        usd_by_kind = {DISKS: DISK_USD_PER_HOUR * disk_gb / DISK_GB * hours}
        is_paid = _is_paid(draft, machine)
        if is_paid or machine.is_allocated:
            price = price_of(draft, machine.listed.offer)
            draft.usd_per_hour += price
        if is_paid:
            usd_by_kind[kind_of(machine)] = price * hours
            charges.vm_hours[str(machine.listed.offer)] += hours
        charges.add(usd_by_kind, shares(machine))
    draft.spend = charges.total(draft.now)


def _waits_for_price(draft: Draft) -> bool:
    """Is there a machine of an offer that was never charged for and has no price yet?"""
    unknown = {pool.offer for pool in draft.policy.pools} - draft.seen.usd_per_hour.keys()
    new = {offer for offer in unknown if not draft.spend.vm_hours.get(str(offer))}
    return bool(new) and any(vm.offer in new for vm in (draft.seen.vms or {}).values())


def _is_paid(draft: Draft, machine: Machine) -> bool:
    """A machine that is listed without its power state, as happens now and then, is what it was: it ran or not."""
    if machine.power is not Power.UNKNOWN:
        return machine.is_billed
    before = draft.memory.vms.get(machine.name)
    return before is not None and before.running_since is not None


def charge_traffic(draft: Draft) -> None:
    """Charge what the ledger tells anew of results and checkpoints that left their machine's region.

    Totals only grow: where the ledger's fold was lost and begins anew, nothing is charged again until it has
    counted more than was charged before.
    """
    charges = _Charges(draft.spend)
    counted, by_job = dict(draft.spend.sent_bytes), dict(draft.spend.traffic_by_job)
    for sent in draft.seen.sent:
        usd_per_gb, key = draft.seen.usd_per_gb.get(sent.region, 0.0), f"{sent.pool} {sent.job}"
        new = sent.total_bytes - counted.get(key, 0)
        if new <= 0:
            continue
        counted[key] = sent.total_bytes
        if usd_per_gb > 0:
            usd = new / BYTES_PER_GB * usd_per_gb
            charges.add({TRAFFIC: usd}, {sent.job: 1.0})
            by_job[sent.job] = by_job.get(sent.job, 0.0) + usd
    until = draft.spend.counted_until  # of time, which is charged apart
    total = charges.total(draft.now)
    draft.spend = replace(total, sent_bytes=counted, traffic_by_job=by_job, counted_until=until)


def charge_evictions(draft: Draft) -> None:
    """What was in hand on machines that this tick found evicted was paid as useful, and is lost."""
    by_kind, evictions = dict(draft.spend.by_kind), dict(draft.spend.evictions)
    for machine in draft.machines():
        before = draft.memory.vms.get(machine.name)
        if before is None or not _was_taken(machine, before):
            continue
        offer = machine.listed.offer
        evictions[str(offer)] = evictions.get(str(offer), 0) + 1
        lost = min(by_kind.get(USEFUL, 0.0), _lost_usd(draft, machine, before.running_since))
        by_kind[USEFUL] = by_kind.get(USEFUL, 0.0) - lost
        by_kind[EVICTED] = by_kind.get(EVICTED, 0.0) + lost
    draft.spend = replace(draft.spend, by_kind=by_kind, evictions=evictions)


def _was_taken(machine: Machine, before: VmMemory) -> bool:
    """Evicted, by what this tick found; or stopped by nobody knows whom. The second such stop without a tile between
    is taken for a person's."""
    if machine.memory is None or machine.seen is None:
        return False
    is_unexplained = (
        machine.ours.unexplained_stops > before.unexplained_stops and machine.ours.intent is Intent.RUN
    )
    is_spot = machine.listed.offer.priority is Priority.SPOT
    return machine.ours.evictions > before.evictions or (is_unexplained and is_spot)


def _lost_usd(draft: Draft, machine: Machine, running_since: float | None) -> float:
    """Of the tile in hand: the time in its stage up to the last heartbeat, and no more than the machine ran, or
    than a tile takes. What a checkpoint saved of it is not known here, so this is the most that was lost."""
    newest = machine.newest
    if newest is None or not newest.held or running_since is None:
        return 0.0
    seconds = min(
        newest.oldest_stage_seconds - newest.age_seconds,
        draft.now - running_since,
        draft.seen.tile_seconds or SECONDS_PER_HOUR,
    )
    return max(0.0, seconds) / SECONDS_PER_HOUR * price_of(draft, machine.listed.offer)


def price_of(draft: Draft, offer: Offer) -> float:
    """USD per hour; a dear guess where nobody knows it, since free machines would never meet a budget."""
    price = draft.seen.usd_per_hour.get(offer)
    if price is not None:
        return price
    try:
        vcpus = vcpus_of(offer.size)
    except BadInput:
        vcpus = UNKNOWN_VCPUS
    return vcpus * DEAR_USD_PER_VCPU_HOUR


def kind_of(machine: Machine) -> str:
    """Under which word a machine's time is paid now."""
    if any(worker.state is WorkerState.UNFIT for worker in machine.live):
        return UNFIT
    if machine.held:
        return USEFUL
    return IDLE if machine.live else BOOT


def shares(machine: Machine) -> Mapping[str, float]:
    """To whom a machine's time is charged: to the jobs whose tiles it holds, equally; else to overhead."""
    jobs = [job for worker in machine.live for job in worker.jobs]
    if not jobs:
        return _OVERHEAD_ONLY
    return {job: jobs.count(job) / len(jobs) for job in jobs}


def utc_day(now: float) -> str:
    """The day that a moment's spending belongs to."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()
