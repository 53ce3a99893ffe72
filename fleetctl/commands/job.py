"""`fleetctl job`: what a person may change about a job."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from fleetctl.cli_common import FleetName, JobName, Yes, confirm, connect, named_exits

jobs = typer.Typer(
    help="Change a job's state: approve a canary, pause, resume, cancel.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@jobs.command()
@named_exits()
def approve(job: JobName, fleet: FleetName = None) -> None:
    """Let a canary's other tiles follow: the same `producer enqueue`, typed again, sends them."""
    _change_job("approve", job, fleet)


@jobs.command()
@named_exits()
def pause(job: JobName, fleet: FleetName = None) -> None:
    """Let a job's tiles wait: what is being inferred is finished, the rest stays in the queue."""
    _change_job("pause", job, fleet)


@jobs.command()
@named_exits()
def resume(job: JobName, fleet: FleetName = None) -> None:
    """Go on with a paused job."""
    _change_job("resume", job, fleet)


@jobs.command()
@named_exits()
def cancel(job: JobName, yes: Yes = False, fleet: FleetName = None) -> None:
    """Give up what a job still asks for; what is committed stays, and there is no way back."""
    confirm(f"cancel {job} for good?", f"{job} was not cancelled", yes=yes)
    _change_job("cancel", job, fleet)


def _change_job(verb: str, job: str, fleet: str | None) -> None:
    from fleetctl.campaign.history import choose_job
    from fleetctl.campaign.job_control import CHANGES, change_job

    store = connect(fleet).store
    chosen, change = choose_job(store, job), CHANGES[verb]
    reason = f"fleetctl job {verb}"
    if change_job(store, chosen, change, reason=reason, now=datetime.now(UTC)):
        print(f"{chosen.id} is {change.to.value}: {change.consequence}")
    else:
        print(f"{chosen.id} was {change.to.value} already")
