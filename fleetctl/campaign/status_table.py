"""A look at the fleet as tables, and as one line per job for scripts."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fleetctl import phrases
from fleetctl.campaign.job_list import UnreadableJob
from fleetctl.campaign.status import FleetView, JobView
from fleetctl.campaign.worker_table import workers_table

BAR_WIDTH = 24


def status_screen(view: FleetView) -> RenderableType:
    """Jobs, queues, machines and money where there is a controller, workers."""
    broken = [Text(unreadable_line(job), style="red") for job in view.unreadable]
    controller = [Text(view.controller.line)] if view.controller else []
    return Group(
        _jobs_table(view),
        *broken,
        Text(),
        Text(depths_line(view)),
        *controller,
        Text(),
        workers_table(view.heartbeats),
    )


def job_line(view: JobView) -> str:
    """One job in one line, for logs and scripts."""
    progress = view.progress
    parts = [
        f"{view.history.job.id}: {progress.committed}/{progress.asked} tiles",
        f"{progress.empty} empty" if progress.empty else "",
        f"{progress.poison} poison" if progress.poison else "",
        phrases.rate(progress.tiles_per_hour) if progress.tiles_per_hour else "",
        f"{phrases.duration(progress.seconds_left)} left" if progress.seconds_left else "",
        "untrained" if view.history.is_untrained else "",
    ]
    return ", ".join(part for part in parts if part)


def unreadable_line(job: UnreadableJob) -> str:
    """What stands in the place of a job that cannot be shown."""
    return f"{job.id}: unreadable: {job.problem}"


def depths_line(view: FleetView) -> str:
    """The queues' own counts, the invisible messages included."""
    depths = view.depths
    return (
        f"queues: {depths.tiles} tiles, {depths.urgent} urgent, {depths.poison} poison (invisible included)"
    )


def _jobs_table(view: FleetView) -> RenderableType:
    if not view.jobs and not view.unreadable:
        return Text("no jobs yet: `producer enqueue REGION` makes one")
    table = Table(box=None, pad_edge=False)
    table.add_column("job", overflow="fold")
    for heading in ("state", "", "asked", "committed", "empty", "poison", "left", "rate", "time left"):
        table.add_column(heading, justify="left" if heading in {"state", ""} else "right")
    for job in view.jobs:
        progress = job.progress
        name = Text(job.history.job.id)
        if job.history.is_untrained:
            name.append(" untrained", style="red")
        table.add_row(
            name,
            job.state.value if job.state else "not started",
            ProgressBar(total=max(progress.asked, 1), completed=progress.committed, width=BAR_WIDTH),
            str(progress.asked),
            str(progress.committed),
            str(progress.empty),
            str(progress.poison),
            str(progress.left),
            phrases.rate(progress.tiles_per_hour),
            "complete" if progress.is_complete else phrases.duration(progress.seconds_left),
        )
    return table
