"""Job records in the container: found by name, changed only under their ETag, refused when tampered with."""

from __future__ import annotations

import json

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.errors import BadInput, Changed, NotFound
from contract.job import JobState, JobStatus, decode_job
from contract.job_store import (
    Cursor,
    create_once,
    find_job,
    lease_for_producing,
    list_jobs,
    read_asked,
    read_cursor,
    read_dataset,
    read_job,
    read_status,
    write_cursor,
    write_status,
)
from producer.enqueue import store_records
from tests.producer_rig import NOW, plan


@pytest.fixture
def store() -> SimulatedBlobStore:
    return SimulatedBlobStore()


def test_jobs_are_listed_by_id_whatever_else_lies_beside_them(store):
    ids = [store_records(store, plan(label=label), now=NOW).id for label in ("b", "a", "c")]
    store.put("jobs/notes.txt", b"")
    store.put("jobs/a/deeper/job.json", b"")
    assert [job.id for job in list_jobs(store)] == sorted(ids)


def test_a_record_of_an_older_release_is_the_same_job_and_wants_no_second_attempts(store):
    job = store_records(store, plan(), now=NOW)
    record = json.loads(job.encode())
    assert record.pop("second_attempts") == job.second_attempts == 1
    older = decode_job(json.dumps(record).encode())
    assert (older.id, older.second_attempts) == (job.id, 0)


def test_an_unknown_job_is_none_or_a_sentence(store):
    known = store_records(store, plan(), now=NOW).id
    assert find_job(store, "toyland-2024-00000000") is None
    with pytest.raises(BadInput, match=f"did you mean {known}"):
        read_job(store, known[:-2])
    for name in ("../x", "A", "jobs/x", ""):
        with pytest.raises(BadInput, match="is no job id"):
            read_job(store, name)


def test_an_asked_list_that_was_changed_is_refused(store):
    job = store_records(store, plan(), now=NOW)
    store.put(artifact_names.job_asked(job.id), b"grid_0.05_0.05\n")
    with pytest.raises(BadInput, match="was changed"):
        read_asked(store, job)


def test_a_state_changes_under_its_etag_only(store):
    job = store_records(store, plan(), now=NOW)
    seen = read_status(store, job.id)
    paused = JobStatus(JobState.PAUSED, "by hand", NOW)
    etag = write_status(store, job.id, paused, if_etag=seen.etag)
    assert read_status(store, job.id).status == paused
    with pytest.raises(Changed):
        write_status(store, job.id, seen.status, if_etag=seen.etag)
    write_status(store, job.id, seen.status, if_etag=etag)


def test_what_was_never_written_is_said_so(store):
    with pytest.raises(NotFound):
        read_status(store, "toyland-2024-00000000")
    with pytest.raises(BadInput, match="no dataset 'toy-9'"):
        read_dataset(store, "toy-9")
    assert read_cursor(store, "toyland-2024-00000000") == Cursor(0)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"v":2,"position":1}', b'{"v":1,"position":-1}', b'{"v":1}'])
def test_a_cursor_that_is_not_ours_is_refused(store, data):
    store.put(artifact_names.job_cursor("toyland-2024-00000000"), data)
    with pytest.raises(BadInput, match="cursor"):
        read_cursor(store, "toyland-2024-00000000")


def test_taking_the_lease_again_keeps_the_cursor(store):
    job = "toyland-2024-00000000"
    lease = lease_for_producing(store, job)
    write_cursor(store, job, Cursor(7))
    lease.release()
    lease_for_producing(store, job)
    assert read_cursor(store, job) == Cursor(7)


def test_create_once_accepts_the_same_and_refuses_another(store):
    assert create_once(store, "records/a", b"1")
    assert not create_once(store, "records/a", b"1")
    with pytest.raises(BadInput, match="differs"):
        create_once(store, "records/a", b"2")
