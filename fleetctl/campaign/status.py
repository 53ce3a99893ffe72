"""One look at a fleet: how far its jobs are, what waits in its queues, who is at work."""

from __future__ import annotations

from dataclasses import dataclass

from contract.blob_store import BlobStore
from contract.errors import BadInput, NotFound
from contract.fleet_queues import FleetQueues
from contract.heartbeat import Heartbeats, read_heartbeats
from contract.job import Job, JobState
from contract.job_store import read_status
from contract.outcomes import Outcome
from fleetctl.campaign.controller_view import ControllerView, look_at_controller
from fleetctl.campaign.history import JobHistory, gather_history
from fleetctl.campaign.job_list import JobList, UnreadableJob
from fleetctl.campaign.progress import Progress, measure_progress


@dataclass(frozen=True, slots=True)
class JobView:
    """One job."""

    history: JobHistory
    state: JobState | None
    """None: its record was written, but it was never started."""
    progress: Progress


@dataclass(frozen=True, slots=True)
class QueueDepths:
    """Messages per queue, the invisible ones included: about right, and no measure of progress."""

    tiles: int
    urgent: int
    poison: int


@dataclass(frozen=True, slots=True)
class FleetView:
    """What `fleetctl status` shows."""

    jobs: tuple[JobView, ...]
    unreadable: tuple[UnreadableJob, ...]
    """Shown, and not waited for."""
    depths: QueueDepths
    heartbeats: Heartbeats
    controller: ControllerView | None = None

    @property
    def is_complete(self) -> bool:
        """Every asked tile of every job shown is committed or explained."""
        return all(view.progress.is_complete or view.state is JobState.CANCELLED for view in self.jobs)


class Observer:
    """Looks again and again, remembering what cannot change in between."""

    def __init__(self, store: BlobStore, queues: FleetQueues) -> None:
        self._store = store
        self._queues = queues
        self._known: dict[str, JobHistory] = {}

    def look(self, listed: JobList) -> FleetView:
        """These jobs and the fleet as they are now."""
        views: list[JobView] = []
        unreadable = list(listed.unreadable)
        for job in listed.jobs:
            try:
                views.append(self._look_at(job))
            except (BadInput, NotFound) as error:  # its asked list, dataset or state is damaged or gone
                unreadable.append(UnreadableJob(job.id, str(error)))
        return FleetView(
            jobs=tuple(views),
            unreadable=tuple(unreadable),
            depths=QueueDepths(
                tiles=self._queues.tiles.depth(),
                urgent=self._queues.urgent.depth(),
                poison=self._queues.poison.depth(),
            ),
            heartbeats=read_heartbeats(self._store),
            controller=look_at_controller(self._store),
        )

    def _look_at(self, job: Job) -> JobView:
        history = gather_history(self._store, job, self._known.get(job.id))
        self._known[job.id] = history
        progress = measure_progress(
            asked=len(history.asked),
            empty=sum(commit.outcome is Outcome.EMPTY for commit in history.commits),
            poison=len(history.poison),
            committed_at=[commit.written for commit in history.commits],
            now=self._store.now(),
        )
        return JobView(history, self._state(job), progress)

    def _state(self, job: Job) -> JobState | None:
        try:
            return read_status(self._store, job.id).status.state
        except NotFound:
            return None
