"""Which change may follow which state, and that a change is one write under the state's ETag."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contract.artifact_names import job_state
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import BadInput
from contract.job import Job, JobState, JobStatus
from contract.job_store import read_status
from fleetctl.campaign.job_control import CHANGES, change_job, refusal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOB = Job(
    name="toy-2024",
    dataset="toy-2024-00000000",
    asked_count=1,
    asked_sha256="0" * 64,
    asked_text="Malta",
    is_urgent=False,
    canary_count=0,
    recipe="toy",
    settings={},
    campaign="toy-2024",
    created="2026-01-01T00:00:00+00:00",
)
ALLOWED = {
    "approve": {JobState.CANARY, JobState.RUNNING},
    "pause": {JobState.RUNNING, JobState.PAUSED},
    "resume": {JobState.PAUSED, JobState.RUNNING},
    "cancel": {JobState.CANARY, JobState.RUNNING, JobState.PAUSED, JobState.CANCELLED},
}


def store_with(state):
    store = SimulatedBlobStore(SimulatedContainer(NOW.timestamp))
    store.create(job_state(JOB.id), JobStatus(state, "asked", "2026-01-01T00:00:00+00:00").encode())
    return store


@pytest.mark.parametrize("verb", sorted(CHANGES))
@pytest.mark.parametrize("state", list(JobState))
def test_each_change_is_for_some_states_only(verb, state):
    assert (refusal(CHANGES[verb], state) == "") is (state in ALLOWED[verb])


def test_a_change_is_stored_with_its_reason_and_a_second_one_does_nothing():
    store = store_with(JobState.RUNNING)
    assert change_job(store, JOB, CHANGES["pause"], reason="lunch", now=NOW)
    assert read_status(store, JOB.id).status == JobStatus(JobState.PAUSED, "lunch", NOW.isoformat())
    assert not change_job(store, JOB, CHANGES["pause"], reason="again", now=NOW)
    assert read_status(store, JOB.id).status.reason == "lunch"


def test_a_cancelled_job_cannot_be_resumed():
    store = store_with(JobState.CANCELLED)
    with pytest.raises(BadInput, match=r"cannot resume toy-2024-.*: it is cancelled"):
        change_job(store, JOB, CHANGES["resume"], reason="oops", now=NOW)


def test_a_change_made_by_somebody_else_meanwhile_is_seen_and_not_overwritten():
    store = store_with(JobState.RUNNING)

    class Raced(SimulatedBlobStore):
        """Somebody cancels the job just before our first write."""

        raced = False

        def replace(self, name, data, *, if_etag, metadata=None):
            if not self.raced:
                self.raced = True
                self.put(name, JobStatus(JobState.CANCELLED, "budget", NOW.isoformat()).encode())
            return super().replace(name, data, if_etag=if_etag, metadata=metadata)

    store.__class__ = Raced
    with pytest.raises(BadInput, match="it is cancelled"):
        change_job(store, JOB, CHANGES["pause"], reason="lunch", now=NOW)
    assert read_status(store, JOB.id).status.reason == "budget"
