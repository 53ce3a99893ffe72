"""A job's account, put together from what the controller charged and what is committed, and shown."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from contract.blob_store import BlobStore
from contract.budget import JobBudget, read_budget
from contract.job import Job, JobState
from fleetctl import phrases
from fleetctl.campaign.job_table import JobCounter
from fleetctl.controller.memory_store import MemoryStore
from fleetctl.controller.snapshot import JobSeen
from fleetctl.money.statement import Statement, job_statement


def look_at_budget(store: BlobStore, job: Job) -> Statement:
    """What the job cost so far and will cost. A fleet that no controller ever watched has charged nothing."""
    spend = MemoryStore(store).load().spend
    line = JobCounter(store).count(job)
    budget = read_budget(store, job.id)
    seen = JobSeen(
        id=job.id,
        state=line.status.state if line.status else JobState.PAUSED,
        asked=job.asked_count,
        committed=line.committed,
        explained=line.explained,
        budget_usd=budget.usd if budget else None,
    )
    return job_statement(spend, seen)


def budget_words(budget: JobBudget) -> str:
    """What was just set, and when it counts."""
    amount = (
        "no budget of its own; the fleet's still holds"
        if budget.usd is None
        else f"{phrases.usd(budget.usd)} USD"
    )
    return f"{amount}, from the controller's next tick"


def budget_table(account: Statement) -> Table:
    """One line per amount."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("budget, USD", _usd(account.budget_usd) if account.budget_usd else "none")
    table.add_row("spent, overhead included", _usd(account.spent_usd))
    table.add_row("of it for traffic between regions", _usd(account.traffic_usd))
    table.add_row("left of the budget", _usd(account.budget_left_usd))
    table.add_row("tiles done", f"{account.done:,} of {account.asked:,}")
    table.add_row(
        "per tile so far", phrases.NOTHING if account.usd_per_tile is None else f"{account.usd_per_tile:.4f}"
    )
    table.add_row("forecast at completion", _usd(account.forecast_usd))
    return table


def budget_json(account: Statement) -> dict[str, Any]:
    """The same for programs."""
    return {
        "job": account.title,
        "budget_usd": account.budget_usd,
        "spent_usd": account.spent_usd,
        "traffic_usd": account.traffic_usd,
        "left_usd": account.budget_left_usd,
        "usd_per_tile": account.usd_per_tile,
        "finishing_usd": account.finishing_usd,
        "forecast_usd": account.forecast_usd,
        "asked": account.asked,
        "done": account.done,
        "left": account.left,
    }


def _usd(amount: float | None) -> str:
    return phrases.NOTHING if amount is None else phrases.usd(amount)
