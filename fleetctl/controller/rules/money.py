"""Budgets: warnings on the way, and a stop in time, for a job or for the whole fleet.

A stop counts what draining still costs, so that the end lies below the budget and not above it.
"""

from __future__ import annotations

from dataclasses import replace

from contract.job import JobState
from fleetctl import phrases
from fleetctl.controller.actions import Verb
from fleetctl.controller.demand import waiting_tiles
from fleetctl.controller.draft import Draft
from fleetctl.controller.memory import Intent
from fleetctl.controller.rules.charge import SECONDS_PER_HOUR, utc_day
from fleetctl.controller.rules.reserve import (
    drain_usd,
    idle_usd,
    job_start_usd,
    jobs_usd_left,
    smallest_rest,
)
from fleetctl.controller.snapshot import BUDGET_REASON, JobSeen
from fleetctl.money.statement import OVERHEAD, Statement, fleet_statement, job_statement

WARN_PERCENT = (50, 80, 95)
LAST_TICKS = 2
"""Deleting a machine takes about so long, and it is paid for meanwhile."""


def keep_budgets(draft: Draft) -> None:
    """Warn at shares of a budget, stop the fleet or a job in time, go on when there is more money."""
    limits, spend = draft.policy.limits, draft.spend
    today = spend.by_day.get(utc_day(draft.now), 0.0)
    coming = drain_usd(draft)
    _warn(draft, "fleet", spend.paid, limits.usd)
    _warn(draft, utc_day(draft.now), today, limits.usd_per_day)
    _keep_limits(draft, spend.paid + coming, today + coming)
    draft.is_broke = _is_broke(draft)
    jobs_usd = sum(usd for job, usd in spend.by_job.items() if job != OVERHEAD)
    running = [job.id for job in draft.seen.jobs or () if job.state is JobState.RUNNING]
    too_small = _too_small(draft)
    for job in draft.seen.jobs or ():
        account = job_statement(spend, job)
        share = spend.by_job.get(job.id, 0.0) / jobs_usd if jobs_usd else 1.0
        _warn(draft, job.id, account.spent_usd, job.budget_usd)
        idle = idle_usd(draft) if running == [job.id] else 0.0
        _keep_job(draft, job, account, coming * share + idle, too_small)


def _keep_limits(draft: Draft, total: float, today: float) -> None:
    """Stop at the first limit reached. A stop holds until its limit is another one: once the fleet drains the
    sum looks affordable again, and would start what it just ended."""
    limits = draft.policy.limits
    passed: dict[str, str] = {}
    if draft.policy.stop_after is not None and draft.now >= draft.policy.stop_after:
        passed[f"stop_after:{draft.policy.stop_after:.0f}"] = "the fleet's stop_after is reached"
    spent = "USD are spent, what draining costs included"
    checks = (
        (f"usd:{limits.usd}", total, limits.usd, "of"),
        (f"day:{utc_day(draft.now)}:{limits.usd_per_day}", today, limits.usd_per_day, "of today's"),
    )
    for key, amount, limit, of in checks:
        if limit is not None and (amount >= limit or key == draft.stopped_by):
            passed[key] = f"{phrases.usd(amount)} {of} {phrases.usd(limit)} {spent}"
    before = draft.stopped_by
    draft.stopped_by, draft.stopped_for = next(iter(passed.items()), ("", ""))
    if draft.stopped_by and draft.stopped_by != before:
        account = fleet_statement(draft.spend, draft.seen.jobs or (), limits.usd)
        draft.do(Verb.ALERT, f"stopped:{draft.stopped_by}", f"{draft.stopped_for}; {account.sentence}")


def _too_small(draft: Draft) -> str:
    """Why nothing can be started for the jobs that run, where nothing is up either; empty: it can, or is."""
    is_up = draft.usd_per_hour > 0 or any(memory.started_at is not None for memory in draft.vms.values())
    needed = job_start_usd(draft)
    if is_up or jobs_usd_left(draft) >= needed or not waiting_tiles(draft.seen, 0.0):
        return ""
    return f"too little is left to start a machine for a few tiles, about {phrases.usd(needed)} USD"


def _keep_job(draft: Draft, job: JobSeen, account: Statement, coming: float, too_small: str) -> None:
    """Pause it in time, or when its money starts nothing any more. It stays paused until its budget is another one:
    once its tiles are handed back the sum looks affordable again. One that has nothing left to do is let finish."""
    if job.budget_usd is None:
        return
    is_spent = account.left > 0 and account.spent_usd + coming >= job.budget_usd
    is_over = is_spent or (account.left > 0 and bool(too_small) and job.state is JobState.RUNNING)
    this_budget = (
        f"{BUDGET_REASON} of {job.budget_usd!r} USD: "  # with all digits: any other amount is another one
    )
    is_paused = job.state is JobState.PAUSED and job.reason.startswith(BUDGET_REASON)
    if is_over and job.state is JobState.RUNNING:
        goes_on = f"`fleetctl budget {job.id} --set USD` goes on"
        why = "" if is_spent else f"{too_small}; "
        reason = f"{this_budget}{account.sentence}; {why}{goes_on}"
        draft.do(Verb.PAUSE_JOB, job.id, reason)
        _say_once(draft, f"{job.id}:stop:{job.budget_usd:g}", reason)
    elif is_paused and account.left <= 0:
        draft.do(Verb.RESUME_JOB, job.id, "nothing of it is left to do: it may finish")
    elif not is_over and is_paused and not job.reason.startswith(this_budget):
        amounts = (phrases.usd(usd) for usd in (job.budget_usd, account.spent_usd))
        spent = "its budget is {} USD now, {} are spent".format(*amounts)
        draft.do(Verb.RESUME_JOB, job.id, spent)


def _warn(draft: Draft, what: str, spent: float, budget: float | None) -> None:
    """Each threshold once."""
    if budget is None or budget <= 0:
        return
    for percent in WARN_PERCENT:
        if spent >= budget * percent / 100:
            key = f"{what}:{percent}:{budget:g}"
            _say_once(draft, key, f"{phrases.usd(spent)} of {phrases.usd(budget)} USD are spent ({what})")


def _say_once(draft: Draft, key: str, reason: str) -> None:
    """Until that budget is another one; `resolve.py` ends it."""
    if key not in draft.spend.warned:
        draft.spend = replace(draft.spend, warned=(*draft.spend.warned, key))
        draft.do(Verb.ALERT, f"budget:{key}", reason)


def _is_broke(draft: Draft) -> bool:
    """Would the money be gone before another tick could stop it?"""
    return (
        smallest_rest(draft)
        <= draft.usd_per_hour * LAST_TICKS * draft.policy.patience.tick / SECONDS_PER_HOUR
    )


def drain_everything(draft: Draft) -> None:
    """For a fleet that is stopped: nothing starts, and what holds tiles finishes them while the money lasts."""
    for machine in draft.machines():
        intent = draft.intent(machine.name)
        if draft.is_broke and intent in (Intent.RUN, Intent.REHOST, Intent.DRAIN):
            draft.want(machine.name, Intent.RELEASE, f"{draft.stopped_for}; its tiles return to the queue")
        elif intent in (Intent.RUN, Intent.REHOST):
            draft.want(machine.name, Intent.DRAIN, draft.stopped_for)
