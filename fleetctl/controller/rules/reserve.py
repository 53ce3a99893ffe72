"""Money that is kept back, and so what may still be spent on starting machines: of the fleet's budgets and of jobs'.

A machine that was started lately has its first hours reserved: else every tick would start more on the same money,
until all of it is paid for boots. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from contract.job import JobState
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent
from fleetctl.controller.policy import Offer
from fleetctl.controller.rules.charge import SECONDS_PER_HOUR, TRAFFIC, price_of, utc_day
from fleetctl.controller.snapshot import JobSeen
from fleetctl.money.statement import OVERHEAD, charged_by_job

START_HOURS = 0.25
"""Of the fleet's money: a machine is only started if it lasts for so long, to boot, to finish a tile, to be let go."""
BOOT_SECONDS = 300.0
FIRST_TILES = 3
"""Of a job's money: a machine is only started if it lasts for so many tiles, what its pause keeps back included."""
MOST_TRAFFIC_RATIO = 1.0
"""The first look at a long ledger charges days of traffic at once: that is no rate, and must not stop a fleet."""
INFINITE = float("inf")


def drain_usd(draft: Draft) -> float:
    """What it still costs to finish the tiles in hand and let everything go."""
    return draft.usd_per_hour * _drain_seconds(draft) / SECONDS_PER_HOUR * (1 + _traffic_ratio(draft))


def idle_usd(draft: Draft) -> float:
    """What all machines cost while they wait in vain: nobody else has work for those of the only job."""
    return draft.usd_per_hour * draft.policy.patience.idle_grace / SECONDS_PER_HOUR


def smallest_rest(draft: Draft) -> float:
    """Of the fleet's budget and today's, in USD; inf: no limit."""
    limits, spend = draft.policy.limits, draft.spend
    today = spend.by_day.get(utc_day(draft.now), 0.0)
    pairs = ((spend.paid, limits.usd), (today, limits.usd_per_day))
    return min((limit - paid for paid, limit in pairs if limit is not None), default=INFINITE)


def usd_left(draft: Draft) -> float:
    """What the fleet may still spend on starting machines, when those that run are let go in time; inf: no limit."""
    rest = smallest_rest(draft)
    return rest if rest == INFINITE else rest - drain_usd(draft) - _promised_usd(draft, START_HOURS)


def jobs_usd_left(draft: Draft) -> float:
    """What the running jobs together may; inf: no job runs, or one of them has no limit."""
    running, spent = running_jobs(draft), charged_by_job(draft.spend)
    budgets = {job.id: job.budget_usd for job in running if job.budget_usd is not None}
    if not running or len(budgets) < len(running):
        return INFINITE
    nobodys = 0.0 if spent else draft.spend.by_job.get(OVERHEAD, 0.0)  # the first job with a charge pays it
    rest = sum(max(0.0, usd - spent.get(job, 0.0)) for job, usd in budgets.items())
    return rest - nobodys - drain_usd(draft) - idle_usd(draft) - _promised_usd(draft, job_start_hours(draft))


def running_jobs(draft: Draft) -> list[JobSeen]:
    """Those whose tiles workers take."""
    return [job for job in draft.seen.jobs or () if job.state in (JobState.CANARY, JobState.RUNNING)]


def job_start_hours(draft: Draft) -> float:
    """How long a job's money must last for a machine to be worth its boot: until its pause lets the machine go."""
    patience = draft.policy.patience
    tiles = FIRST_TILES * (draft.seen.tile_seconds or patience.idle_grace)
    return (BOOT_SECONDS + tiles + _drain_seconds(draft) + patience.idle_grace) / SECONDS_PER_HOUR


def job_start_usd(draft: Draft) -> float:
    """What that costs with the cheapest machine whose price is known; 0 while none is."""
    return min(draft.seen.usd_per_hour.values(), default=0.0) * job_start_hours(draft)


def _promised_usd(draft: Draft, hours: float) -> float:
    """What machines that were asked for within the last `hours` cost until those are over, draining left out where
    that is counted."""
    drain_hours = _drain_seconds(draft) / SECONDS_PER_HOUR
    return sum(
        price_of(draft, offer)
        * max(0.0, hours - began_hours - (drain_hours if machine.is_allocated else 0.0))
        for machine, offer, began_hours in _started(draft)
    )


def _started(draft: Draft) -> Iterator[tuple[Machine, Offer, float]]:
    """Machines that are meant to work, and how many hours ago they were asked to."""
    for machine in draft.machines():
        memory = machine.memory
        if memory is None or memory.intent is not Intent.RUN or memory.started_at is None:
            continue
        offer = machine.seen.offer if machine.seen else machine.pool.offer if machine.pool else None
        if offer is not None:
            yield machine, offer, (draft.now - memory.started_at) / SECONDS_PER_HOUR


def _drain_seconds(draft: Draft) -> float:
    patience = draft.policy.patience
    return (draft.seen.tile_seconds or patience.idle_grace) + 2 * patience.tick


def _traffic_ratio(draft: Draft) -> float:
    """Traffic beside all else that was paid: the tiles in hand will be sent, too."""
    traffic = draft.spend.by_kind.get(TRAFFIC, 0.0)
    machines = draft.spend.paid - traffic
    return min(MOST_TRAFFIC_RATIO, traffic / machines) if machines > 0 else 0.0
