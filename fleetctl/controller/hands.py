"""What each verb that is no call of the cloud does: drains, accounts, intake, jobs. Twice is once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import partial

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.drain import request_drain, withdraw_drain
from contract.errors import BadInput
from contract.eviction import record_eviction
from contract.job import JobState, JobStatus
from contract.job_store import read_status, write_status
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller.act import Step
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.intake import IntakeKeeper

SEEN_BY = "controller"


@dataclass(frozen=True, slots=True)
class Others:
    """What the hands reach beside the cloud."""

    store: BlobStore
    intake: IntakeKeeper
    finish_job: Callable[[str], None]
    """Have a job verified; returns at once."""
    alert: Callable[[str, str], None]
    """Key, reason."""
    resolve: Callable[[str, str], None]


def steps(others: Others) -> Mapping[Verb, Step]:
    """One step for every verb that `act` does not do itself."""
    store = others.store
    return {
        Verb.DRAIN: lambda action: request_drain(store, action.target, reason=action.reason),
        Verb.UNDRAIN: lambda action: _ignore(withdraw_drain(store, action.target)),
        Verb.RECORD_EVICTION: partial(_record_eviction, store),
        Verb.FORGET_WORKER: lambda action: _ignore(store.delete(artifact_names.heartbeat(action.target))),
        Verb.FORGET_WISH: lambda action: _ignore(store.delete(action.target)),
        Verb.PAUSE_INTAKE: lambda action: others.intake.pause(action.reason),
        Verb.RESUME_INTAKE: lambda _action: others.intake.resume(),
        Verb.ALERT: lambda action: others.alert(action.target, action.reason),
        Verb.RESOLVE: lambda action: others.resolve(action.target, action.reason),
        Verb.PAUSE_JOB: partial(_set_state, store, JobState.RUNNING, JobState.PAUSED),
        Verb.RESUME_JOB: partial(_set_state, store, JobState.PAUSED, JobState.RUNNING),
        Verb.FINISH_JOB: lambda action: others.finish_job(action.target),
    }


def set_job_state(store: BlobStore, job: str, before: JobState, after: JobState, reason: str) -> bool:
    """Change a job's state if it is still `before`; False otherwise. Changed when somebody else did meanwhile."""
    stored = read_status(store, job)
    if stored.status.state is not before:
        return False
    changed = store.now().astimezone(UTC).isoformat(timespec="seconds")
    write_status(store, job, JobStatus(after, reason[:500], changed), if_etag=stored.etag)
    return True


def _set_state(store: BlobStore, before: JobState, after: JobState, action: Action) -> None:
    set_job_state(store, action.target, before, after, action.reason)


def _record_eviction(store: BlobStore, action: Action) -> None:
    vm, _, boot = action.target.partition("/")
    try:
        record_eviction(store, vm, boot, seen_by=SEEN_BY, reason=action.reason)
    except BadInput as error:  # a boot that called itself something unheard of: nothing to name a record by
        raise Refused(Refusal.MISTAKE, "", str(error)) from error


def _ignore(_was_there: object) -> None:
    """Whether it was there before changes nothing."""
