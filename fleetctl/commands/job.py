"""`fleetctl jobs` and `fleetctl job`: what was asked, and what a person may change about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from fleetctl.cli_common import AsJson, FleetName, JobName, Yes, confirm, connect, errors, named_exits, output
from fleetctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from contract.job import Job

group = typer.Typer(
    help="Look at one job, or change its state: approve a canary, pause, resume, cancel.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@named_exits()
def jobs(as_json: AsJson = False, fleet: FleetName = None) -> None:
    """List the jobs: what was asked, what is committed or explained, and in which state they are.

    Example: fleetctl jobs
    """
    from fleetctl.campaign.job_list import survey_jobs
    from fleetctl.campaign.job_table import count_jobs, jobs_json, jobs_table

    store = connect(fleet).store
    lines, unreadable = count_jobs(store, survey_jobs(store))
    if as_json:
        print(json.dumps(jobs_json(lines, unreadable), indent=2))
    else:
        output().print(jobs_table(lines, unreadable))


@group.command()
@named_exits()
def show(job: JobName, as_json: AsJson = False, fleet: FleetName = None) -> None:
    """Show everything about one job: what was asked, its dataset's pins, its state and why, how far it is.

    Example: fleetctl job show uk-2024-1f2e3d4c
    """
    from fleetctl.campaign.job_details import details_json, details_table, look_at_job
    from fleetctl.campaign.job_list import choose_job

    storage = connect(fleet)
    details = look_at_job(storage.store, storage.queues, choose_job(storage.store, job))
    if as_json:
        print(json.dumps(details_json(details), indent=2))
    else:
        output().print(details_table(details))


@group.command()
@named_exits()
def approve(job: JobName, fleet: FleetName = None) -> None:
    """Let a canary's other tiles follow: they are put on the queue now.

    Typed again, it goes on where an interrupted one stopped.

    Example: fleetctl job approve uk-2024-1f2e3d4c
    """
    from fleetctl.producing import fleet_words, run_producer

    chosen = _change_job("approve", job, fleet)
    words = ["resume", chosen.id, *fleet_words(fleet)]
    retry = f"to send its other tiles type `producer {' '.join(words)}`"
    try:
        sent = run_producer(words)
    except KeyboardInterrupt:
        errors.print(f"fleetctl: {chosen.id} stays approved; {retry}", markup=False)
        raise
    if not sent.is_done:
        errors.print(f"fleetctl: {chosen.id} is approved; {retry}", style="red", markup=False)
        raise typer.Exit(ExitCode.INCOMPLETE)


@group.command()
@named_exits()
def pause(job: JobName, fleet: FleetName = None) -> None:
    """Let a job's tiles wait: what is being inferred is finished, the rest stays in the queue.

    Example: fleetctl job pause uk-2024-1f2e3d4c
    """
    _change_job("pause", job, fleet)


@group.command()
@named_exits()
def resume(job: JobName, fleet: FleetName = None) -> None:
    """Go on with a paused job.

    Example: fleetctl job resume uk-2024-1f2e3d4c
    """
    _change_job("resume", job, fleet)


@group.command()
@named_exits()
def cancel(job: JobName, yes: Yes = False, fleet: FleetName = None) -> None:
    """Give up what a job still asks for; what is committed stays, and there is no way back.

    Example: fleetctl job cancel uk-2024-1f2e3d4c
    """
    _change_job("cancel", job, fleet, must_confirm=not yes)


def _change_job(verb: str, job: str, fleet: str | None, *, must_confirm: bool = False) -> Job:
    from fleetctl.campaign.job_control import CHANGES, change_job
    from fleetctl.campaign.job_list import choose_job

    store = connect(fleet).store
    chosen, change = choose_job(store, job), CHANGES[verb]
    question = f"{verb} {chosen.id} for good? {change.consequence}"
    confirm(question, f"{chosen.id} was not changed", yes=not must_confirm)
    reason = f"fleetctl job {verb}"
    if change_job(store, chosen, change, reason=reason, now=datetime.now(UTC)):
        print(f"{chosen.id} is {change.to.value}: {change.consequence}")
    else:
        print(f"{chosen.id} was {change.to.value} already")
    return chosen
