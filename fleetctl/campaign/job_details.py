"""Everything about one job on one page: what was asked, of what, how far it is, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from contract.blob_store import BlobStore
from contract.dataset import UNTRAINED
from contract.errors import BadInput
from contract.fleet_queues import FleetQueues
from contract.job import Job, JobStatus
from contract.job_store import read_cursor
from fleetctl import phrases
from fleetctl.campaign.job_list import JobList
from fleetctl.campaign.job_table import NOT_STARTED, read_state
from fleetctl.campaign.status import JobView, Observer
from fleetctl.redo.plan import unfinished_plans


@dataclass(frozen=True, slots=True)
class JobDetails:
    """One job at one moment."""

    view: JobView
    status: JobStatus | None
    enqueued: int
    """How many tiles, from the front of the asked list, are on the queue or were done when their turn came."""
    queue_depth: int
    """Messages of all jobs in the two work queues, the invisible ones included."""
    unfinished_redos: tuple[str, ...]
    """What was typed; the same words go on with it."""

    @property
    def queued(self) -> int:
        """About how many of the queues' messages are this job's: enqueued, and neither committed nor given up."""
        progress = self.view.progress
        return max(0, self.enqueued - progress.committed - progress.poison)


def look_at_job(store: BlobStore, queues: FleetQueues, job: Job) -> JobDetails:
    """Everything that listings and the job's records say. BadInput when one of them is damaged."""
    seen = Observer(store, queues).look(JobList((job,), ()))
    if seen.unreadable:
        raise BadInput(f"job {job.id} cannot be read: {seen.unreadable[0].problem}")
    return JobDetails(
        view=seen.jobs[0],
        status=read_state(store, job),
        enqueued=min(read_cursor(store, job.id).position, job.asked_count),
        queue_depth=seen.depths.tiles + seen.depths.urgent,
        unfinished_redos=tuple(plan.what for plan in unfinished_plans(store, job)),
    )


def details_json(details: JobDetails) -> dict[str, Any]:
    """For programs, with units in the names."""
    job, dataset, progress = details.view.history.job, details.view.history.dataset, details.view.progress
    return {
        "job": job.id,
        "name": job.name,
        "campaign": job.campaign,
        "asked_text": job.asked_text,
        "created": job.created,
        "state": details.status.state.value if details.status else None,
        "reason": details.status.reason if details.status else "",
        "since": details.status.changed if details.status else None,
        "is_urgent": job.is_urgent,
        "canary_count": job.canary_count,
        "settings": dict(job.settings),
        "dataset": {
            "name": dataset.name,
            "recipe": dataset.recipe,
            "code_version": dataset.code_version,
            "period": dataset.period,
            "parameters": dict(dataset.parameters),
            "weights_sha256": dataset.weights_sha256,
            "is_trained": dataset.is_trained,
            "boundaries_sha256": dataset.boundaries_sha256,
        },
        "asked": progress.asked,
        "enqueued": details.enqueued,
        "committed": progress.committed,
        "empty": progress.empty,
        "poison": progress.poison,
        "left": progress.left,
        "queued": details.queued,
        "queue_depth": details.queue_depth,
        "unfinished_redos": list(details.unfinished_redos),
        "tiles_per_hour": progress.tiles_per_hour,
        "seconds_left": progress.seconds_left,
    }


def details_table(details: JobDetails) -> Table:
    """For people: a name and a value per line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in _rows(details):
        table.add_row(name, Text(value))
    return table


def _rows(details: JobDetails) -> Iterator[tuple[str, str]]:
    job, dataset, progress = details.view.history.job, details.view.history.dataset, details.view.progress
    yield "job", job.id
    yield "asked", f"{job.asked_text} ({progress.asked} tiles), {job.created}"
    yield "state", _state_sentence(details.status)
    if job.is_urgent:
        yield "urgent", "before everything that is not urgent"
    if job.canary_count:
        yield "canary", f"the first {job.canary_count} tiles"
    if job.campaign != job.id:
        yield "campaign", job.campaign
    yield "settings", _assignments(job.settings)
    yield "dataset", dataset.name
    yield "pins", f"recipe {dataset.recipe} {dataset.code_version}, period {dataset.period}"
    yield "", _assignments(dataset.parameters)
    yield "", f"weights {dataset.weights_sha256}" if dataset.weights_sha256 else "no weights file"
    if not dataset.is_trained:
        yield "", f"{UNTRAINED}: the results mean nothing"
    yield "", f"boundaries {dataset.boundaries_sha256}"
    yield "enqueued", f"{details.enqueued} of {progress.asked}"
    yield "committed", f"{progress.committed}, of which {progress.empty} empty"
    yield "poison", str(progress.poison)
    yield "left", f"{progress.left}, {phrases.duration(progress.seconds_left)} to go"
    yield "rate", phrases.rate(progress.tiles_per_hour)
    yield "queued", f"about {details.queued} of the {details.queue_depth} messages in the queues"
    for what in details.unfinished_redos:
        yield "unfinished", f"redo, {what}: type it again to go on"


def _state_sentence(status: JobStatus | None) -> str:
    if status is None:
        return NOT_STARTED
    return f"{status.state.value} since {status.changed}" + (f": {status.reason}" if status.reason else "")


def _assignments(values: Any) -> str:
    return " ".join(f"{name}={values[name]}" for name in sorted(values)) or phrases.NOTHING
