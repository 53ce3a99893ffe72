"""What would otherwise stay behind: leaks, heartbeats of machines that are gone, jobs that are done."""

from __future__ import annotations

from contract.job import JobState
from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft

FORGET_SECONDS = 24 * 3600.0


def tidy(draft: Draft) -> None:
    """Delete what nobody uses, and close jobs that are complete."""
    for resource in draft.seen.leaks:
        draft.do(Verb.DELETE_LEAK, resource, "it has this fleet's tag, and no machine uses it")
    listed = draft.seen.vms or {}
    for worker in draft.seen.workers or ():
        if worker.age_seconds >= FORGET_SECONDS and worker.vm not in listed:
            draft.do(
                Verb.FORGET_WORKER,
                worker.worker,
                f"silent for {worker.age_seconds / 3600:.0f} h, its machine is gone",
            )
    for job in draft.seen.jobs or ():
        if job.state is JobState.RUNNING and job.asked and job.committed + job.explained >= job.asked:
            draft.do(
                Verb.FINISH_JOB, job.id, f"{job.committed} tiles are committed, {job.explained} explained"
            )
