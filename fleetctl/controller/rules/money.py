"""What it costs, and when it ends: every billed second is charged to somebody, and budgets stop the fleet in time.

A stop counts what draining still costs, so that the end lies below the budget and not above it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from contract.heartbeat import WorkerState
from contract.job import JobState
from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.machine import Machine
from fleetctl.controller.memory import Intent, Spend
from fleetctl.controller.snapshot import BUDGET_REASON, JobSeen

WARN_PERCENT = (50, 80, 95)
SECONDS_PER_HOUR = 3600.0
OVERHEAD = "(overhead)"
"""What no job's tile was held for: idle and booting machines; spread over the jobs in proportion when told."""


def account(draft: Draft) -> None:
    """Charge the time since the last tick at the prices of now."""
    spend = draft.memory.spend
    seconds = max(0.0, draft.now - spend.counted_until) if spend.counted_until else 0.0
    by_kind, by_job = defaultdict(float, spend.by_kind), defaultdict(float, spend.by_job)
    by_day = defaultdict(float, spend.by_day)
    paid = 0.0
    for machine in draft.machines():
        usd = usd_per_hour(draft, machine) * seconds / SECONDS_PER_HOUR
        if not usd:
            continue
        paid += usd
        by_kind[kind_of(machine)] += usd
        for job, share in shares(machine).items():
            by_job[job] += usd * share
    by_day[utc_day(draft.now)] += paid
    draft.spend = replace(
        spend,
        paid=spend.paid + paid,
        by_job=dict(by_job),
        by_day=dict(by_day),
        by_kind=dict(by_kind),
        counted_until=draft.now,
    )


def usd_per_hour(draft: Draft, machine: Machine) -> float:
    """What the machine costs now; nothing while it is deallocated, but for its disk."""
    if machine.seen is None:
        return 0.0
    return draft.seen.usd_per_hour.get(machine.seen.offer, 0.0) if machine.is_billed else 0.0


def kind_of(machine: Machine) -> str:
    """Under which word a machine's time is paid now."""
    if any(worker.state is WorkerState.UNFIT for worker in machine.live):
        return "unfit"
    if machine.held:
        return "useful"
    return "idle" if machine.live else "boot"


def shares(machine: Machine) -> Mapping[str, float]:
    """To whom a machine's time is charged: to the jobs whose tiles it holds, equally; else to overhead."""
    jobs = [job for worker in machine.live for job in worker.jobs]
    if not jobs:
        return {OVERHEAD: 1.0}
    return {job: jobs.count(job) / len(jobs) for job in jobs}


def drain_usd(draft: Draft) -> float:
    """What it still costs to finish the tiles in hand and let everything go."""
    patience = draft.policy.patience
    seconds = (draft.seen.tile_seconds or patience.idle_grace) + 2 * patience.tick
    return sum(usd_per_hour(draft, machine) for machine in draft.machines()) * seconds / SECONDS_PER_HOUR


def keep_budgets(draft: Draft) -> None:
    """Warn at shares of a budget, stop the fleet or a job in time, go on when there is more money."""
    limits, spend = draft.policy.limits, draft.spend
    today = spend.by_day.get(utc_day(draft.now), 0.0)
    coming = drain_usd(draft)
    _warn(draft, "fleet", spend.paid, limits.usd)
    _warn(draft, "today", today, limits.usd_per_day)
    _keep_limits(draft, spend.paid + coming, today + coming)
    overhead = spend.by_job.get(OVERHEAD, 0.0)
    jobs_usd = sum(spend.by_job.values()) - overhead
    for job in draft.seen.jobs or ():
        own = spend.by_job.get(job.id, 0.0)
        charged = own + (overhead * own / jobs_usd if jobs_usd else 0.0)
        _warn(draft, job.id, charged, job.budget_usd)
        _keep_job(draft, job, charged, coming * own / jobs_usd if jobs_usd else coming)


def _keep_limits(draft: Draft, total: float, today: float) -> None:
    """Stop at the first limit reached. A stop holds until its limit is another one: once the fleet drains the
    sum looks affordable again, and would start what it just ended."""
    limits = draft.policy.limits
    passed: dict[str, str] = {}
    if draft.policy.stop_after is not None and draft.now >= draft.policy.stop_after:
        passed[f"stop_after:{draft.policy.stop_after:g}"] = "the fleet's stop_after is reached"
    spent = "USD are spent, what draining costs included"
    checks = (
        (f"usd:{limits.usd}", total, limits.usd, "of"),
        (f"day:{utc_day(draft.now)}:{limits.usd_per_day}", today, limits.usd_per_day, "of today's"),
    )
    for key, amount, limit, of in checks:
        if limit is not None and (amount >= limit or key == draft.stopped_by):
            passed[key] = f"{amount:.2f} {of} {limit:.2f} {spent}"
    draft.stopped_by, draft.stopped_for = next(iter(passed.items()), ("", ""))


def _keep_job(draft: Draft, job: JobSeen, charged: float, coming: float) -> None:
    if job.budget_usd is None:
        return
    is_over = charged + coming >= job.budget_usd
    if is_over and job.state is JobState.RUNNING:
        left = job.asked - job.committed - job.explained
        reason = (
            f"{BUDGET_REASON}: {charged:.2f} of {job.budget_usd:.2f} USD; {job.committed} tiles done, {left} left; "
            f"`fleetctl budget {job.id} --set USD` goes on"
        )
        draft.do(Verb.PAUSE_JOB, job.id, reason)
    elif not is_over and job.state is JobState.PAUSED and job.reason.startswith(BUDGET_REASON):
        draft.do(
            Verb.RESUME_JOB, job.id, f"its budget is {job.budget_usd:.2f} USD now, {charged:.2f} are spent"
        )


def _warn(draft: Draft, what: str, spent: float, budget: float | None) -> None:
    """Each threshold once."""
    if budget is None or budget <= 0:
        return
    for percent in WARN_PERCENT:
        key = f"{what}:{percent}:{budget:g}"
        if spent >= budget * percent / 100 and key not in draft.spend.warned:
            draft.spend = replace(draft.spend, warned=(*draft.spend.warned, key))
            draft.do(Verb.ALERT, f"budget:{key}", f"{spent:.2f} of {budget:.2f} USD are spent ({what})")


def drain_everything(draft: Draft) -> None:
    """For a fleet that is stopped: nothing starts, and what holds tiles finishes them while the money lasts."""
    limits, spend = draft.policy.limits, draft.spend
    today = spend.by_day.get(utc_day(draft.now), 0.0)
    is_spent = any(
        limit is not None and paid >= limit
        for paid, limit in ((spend.paid, limits.usd), (today, limits.usd_per_day))
    )
    for machine in draft.machines():
        intent = draft.intent(machine.name)
        if is_spent and intent in (Intent.RUN, Intent.REHOST, Intent.DRAIN):
            draft.want(machine.name, Intent.RELEASE, f"{draft.stopped_for}; its tiles return to the queue")
        elif intent in (Intent.RUN, Intent.REHOST):
            draft.want(machine.name, Intent.DRAIN, draft.stopped_for)


def utc_day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def empty_spend(now: float) -> Spend:
    """Nothing spent yet; time counts from now."""
    return Spend(counted_until=now)
