"""Budgets: warnings on the way, and a stop in time, for a job or for the whole fleet.

A stop counts what draining still costs, so that the end lies below the budget and not above it.
"""

from __future__ import annotations

from dataclasses import replace

from contract.job import JobState
from fleetctl import phrases
from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.memory import Intent
from fleetctl.controller.rules.charge import SECONDS_PER_HOUR, TRAFFIC, utc_day
from fleetctl.controller.snapshot import BUDGET_REASON, JobSeen
from fleetctl.money.statement import OVERHEAD, Statement, fleet_statement, job_statement

WARN_PERCENT = (50, 80, 95)
LAST_TICKS = 2
"""Deleting a machine takes about so long, and it is paid for meanwhile."""
MOST_TRAFFIC_RATIO = 1.0
"""The first look at a long ledger charges days of traffic at once: that is no rate, and must not stop a fleet."""


def drain_usd(draft: Draft) -> float:
    """What it still costs to finish the tiles in hand and let everything go."""
    patience = draft.policy.patience
    seconds = (draft.seen.tile_seconds or patience.idle_grace) + 2 * patience.tick
    return draft.usd_per_hour * seconds / SECONDS_PER_HOUR * (1 + _traffic_ratio(draft))


def _idle_usd(draft: Draft) -> float:
    """What all machines cost while they wait in vain: nobody else has work for those of the only job."""
    return draft.usd_per_hour * draft.policy.patience.idle_grace / SECONDS_PER_HOUR


def _traffic_ratio(draft: Draft) -> float:
    """Traffic beside all else that was paid: the tiles in hand will be sent, too."""
    traffic = draft.spend.by_kind.get(TRAFFIC, 0.0)
    machines = draft.spend.paid - traffic
    return min(MOST_TRAFFIC_RATIO, traffic / machines) if machines > 0 else 0.0


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
    for job in draft.seen.jobs or ():
        account = job_statement(spend, job)
        share = spend.by_job.get(job.id, 0.0) / jobs_usd if jobs_usd else 1.0
        _warn(draft, job.id, account.spent_usd, job.budget_usd)
        idle = _idle_usd(draft) if running == [job.id] else 0.0
        _keep_job(draft, job, account, coming * share + idle)


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


def _keep_job(draft: Draft, job: JobSeen, account: Statement, coming: float) -> None:
    """Pause it in time. It stays paused until its budget is another one: once its tiles are handed back the sum
    looks affordable again. One that has nothing left to do is let finish."""
    if job.budget_usd is None:
        return
    is_over = account.left > 0 and account.spent_usd + coming >= job.budget_usd
    this_budget = (
        f"{BUDGET_REASON} of {job.budget_usd!r} USD: "  # with all digits: any other amount is another one
    )
    is_paused = job.state is JobState.PAUSED and job.reason.startswith(BUDGET_REASON)
    if is_over and job.state is JobState.RUNNING:
        goes_on = f"`fleetctl budget {job.id} --set USD` goes on"
        reason = f"{this_budget}{account.sentence}; {goes_on}"
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


def usd_left(draft: Draft) -> float:
    """What may still be spent on starting machines, when those that run are let go in time; inf: no limit."""
    return _smallest_rest(draft) - drain_usd(draft)


def _is_broke(draft: Draft) -> bool:
    """Would the money be gone before another tick could stop it?"""
    return (
        _smallest_rest(draft)
        <= draft.usd_per_hour * LAST_TICKS * draft.policy.patience.tick / SECONDS_PER_HOUR
    )


def _smallest_rest(draft: Draft) -> float:
    """Of the fleet's budget and today's."""
    limits, spend = draft.policy.limits, draft.spend
    today = spend.by_day.get(utc_day(draft.now), 0.0)
    pairs = ((spend.paid, limits.usd), (today, limits.usd_per_day))
    return min((limit - paid for paid, limit in pairs if limit is not None), default=float("inf"))


def drain_everything(draft: Draft) -> None:
    """For a fleet that is stopped: nothing starts, and what holds tiles finishes them while the money lasts."""
    for machine in draft.machines():
        intent = draft.intent(machine.name)
        if draft.is_broke and intent in (Intent.RUN, Intent.REHOST, Intent.DRAIN):
            draft.want(machine.name, Intent.RELEASE, f"{draft.stopped_for}; its tiles return to the queue")
        elif intent in (Intent.RUN, Intent.REHOST):
            draft.want(machine.name, Intent.DRAIN, draft.stopped_for)
