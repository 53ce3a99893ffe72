"""`fleetctl status`: once, as a screen that refreshes, or as lines."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live

from contract.blob_store import BlobStore
from contract.errors import BadInput, StorageUnavailable
from contract.fleet_queues import FleetQueues
from contract.job import Job
from fleetctl.campaign.job_list import JobList, choose_job, survey_jobs
from fleetctl.campaign.status import FleetView, Observer
from fleetctl.campaign.status_table import job_line, status_screen, unreadable_line

PATIENCE_SECONDS = 300.0
"""How long a storage may be away while somebody follows."""


class Follower:
    """Looks at one job, or at all of them, also those that are enqueued meanwhile."""

    def __init__(self, store: BlobStore, queues: FleetQueues, job: str | None) -> None:
        """BadInput when there is no such job."""
        self._store = store
        self._only: Job | None = choose_job(store, job) if job is not None else None
        self._observer = Observer(store, queues)
        self._look_seconds = 0.0

    def look(self) -> FleetView:
        """How things are now. BadInput when the only job to look at cannot be read."""
        began = time.monotonic()
        view = self._observer.look(JobList((self._only,), ()) if self._only else survey_jobs(self._store))
        if self._only and view.unreadable:
            raise BadInput(unreadable_line(view.unreadable[0]))
        self._look_seconds = time.monotonic() - began
        return view

    def look_again(self, refresh_seconds: float, console: Console) -> FleetView:
        """After a pause. A storage that does not answer is waited for, for a while, and that is said once: a
        campaign lasts longer than its storage's bad minutes. StorageUnavailable when the while is over."""
        away_since: float | None = None
        while True:
            self.pause(refresh_seconds)
            try:
                return self.look()
            except StorageUnavailable as error:
                if away_since is None:
                    away_since = time.monotonic()
                    console.print(f"{error}; waiting for it", markup=False, soft_wrap=True)
                if time.monotonic() - away_since >= PATIENCE_SECONDS:
                    raise

    def pause(self, refresh_seconds: float) -> None:
        """Between two looks. Listing a million commits takes minutes: at most half of the time is spent so."""
        time.sleep(max(refresh_seconds, self._look_seconds))


def show_once(follower: Follower, console: Console) -> None:
    """The screen, as it is now."""
    console.print(status_screen(follower.look()))


def follow_screen(follower: Follower, refresh_seconds: float, console: Console) -> None:
    """The screen, refreshed until every job shown is complete; lines where there is no screen."""
    if not console.is_terminal:
        follow_lines(follower, refresh_seconds, console)
        return
    view = follower.look()
    with Live(status_screen(view), console=console, auto_refresh=False) as live:
        while not view.is_complete:
            view = follower.look_again(refresh_seconds, console)
            live.update(status_screen(view), refresh=True)


def follow_lines(follower: Follower, refresh_seconds: float, console: Console) -> None:
    """A line for a job whenever another of its tiles is committed or explained, until all are complete."""
    shown: dict[str, tuple[int, int]] = {}
    unreadable: set[str] = set()
    view = follower.look()
    while True:
        for broken in view.unreadable:
            if broken.id not in unreadable:
                unreadable.add(broken.id)
                console.print(unreadable_line(broken), markup=False, soft_wrap=True)
        for one in view.jobs:
            counts = (one.progress.committed, one.progress.poison)
            if shown.get(one.history.job.id) != counts:
                shown[one.history.job.id] = counts
                console.print(job_line(one), markup=False, soft_wrap=True)
        if view.is_complete:
            return
        view = follower.look_again(refresh_seconds, console)
