"""What a job or a fleet came to in money: what is done, what is left, what finishing costs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleetctl import phrases
from fleetctl.controller.memory import Spend
from fleetctl.controller.snapshot import JobSeen

OVERHEAD = "(overhead)"
"""What no job's tile was held for: idle and booting machines; spread over the jobs in proportion when told."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One account; dollars include the job's part of the overhead."""

    title: str
    """A job's id, or the fleet."""
    asked: int
    """Tiles."""
    done: int
    left: int
    """Neither committed nor explained."""
    spent_usd: float
    traffic_usd: float
    """Of what was spent, for bytes that left their machine's region."""
    budget_usd: float | None
    """None: no limit."""
    usd_per_tile: float | None
    """So far, everything included; None before the first tile."""

    @property
    def finishing_usd(self) -> float | None:
        """What the tiles that are left cost at the rate so far; None before the first tile."""
        return 0.0 if not self.left else None if self.usd_per_tile is None else self.left * self.usd_per_tile

    @property
    def forecast_usd(self) -> float | None:
        """At completion."""
        return None if self.finishing_usd is None else self.spent_usd + self.finishing_usd

    @property
    def budget_left_usd(self) -> float | None:
        return None if self.budget_usd is None else max(0.0, self.budget_usd - self.spent_usd)

    @property
    def sentence(self) -> str:
        """`120 of 400 tiles done, 280 left; 5.24 of 10.00 USD spent, finishing costs about 12.23 USD more`."""
        more = "nobody knows yet what finishing costs"
        if self.finishing_usd is not None:
            more = f"finishing costs about {phrases.usd(self.finishing_usd)} USD more"
        return (
            f"{self.done} of {self.asked} tiles done, {self.left} left; "
            f"{phrases.spent(self.spent_usd, self.traffic_usd, self.budget_usd)}, {more}"
        )


def charged_by_job(spend: Spend) -> Mapping[str, float]:
    """USD of every job, overhead added in proportion. While no job has a charge, the overhead is nobody's."""
    own = {job: usd for job, usd in spend.by_job.items() if job != OVERHEAD}
    total = sum(own.values())
    factor = 1 + spend.by_job.get(OVERHEAD, 0.0) / total if total else 1.0
    return {job: usd * factor for job, usd in own.items()}


def job_statement(spend: Spend, job: JobSeen) -> Statement:
    """One job's account."""
    spent = charged_by_job(spend).get(job.id, 0.0)
    return _statement(job.id, (job,), spent, spend.traffic_by_job.get(job.id, 0.0), job.budget_usd)


def fleet_statement(spend: Spend, jobs: Iterable[JobSeen], budget_usd: float | None) -> Statement:
    """The whole fleet's; `jobs`: those that are not over."""
    traffic = sum(spend.traffic_by_job.values())
    return _statement("fleet", tuple(jobs), spend.paid, traffic, budget_usd)


def _statement(
    title: str, jobs: tuple[JobSeen, ...], spent_usd: float, traffic_usd: float, budget_usd: float | None
) -> Statement:
    asked, done = sum(job.asked for job in jobs), sum(job.committed for job in jobs)
    return Statement(
        title=title,
        asked=asked,
        done=done,
        left=asked - done - sum(job.explained for job in jobs),
        spent_usd=spent_usd,
        traffic_usd=traffic_usd,
        budget_usd=budget_usd,
        usd_per_tile=spent_usd / done if done and spent_usd else None,
    )
