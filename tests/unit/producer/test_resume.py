"""`producer resume`: a stored job's rest, and nothing twice."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from contract.errors import BadInput, StorageUnavailable
from contract.fleet import Fleet, read_fleet_file
from contract.job import JobState, JobStatus
from contract.job_store import Cursor, read_cursor, read_status, write_status
from producer.enqueue import enqueue_job
from producer.exit_codes import ExitCode
from producer.request import run_resume
from tests.producer_rig import NOW, Quiet, Rig, names, plan

MOMENT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def rig() -> Rig:
    return Rig(lambda: 1_000_000.0)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    path = tmp_path / "toy.toml"
    path.write_text(
        'name = "toy"\nkind = "azure"\nlocation = "westeurope"\n[storage]\ncontainer = "c"\n'
        'queue_url = "https://a.queue.core.windows.net"\nblob_url = "https://a.blob.core.windows.net"\n'
    )
    return read_fleet_file(path)


def resume(rig: Rig, fleet: Fleet, job_id: str, **client: object) -> tuple[ExitCode, str]:
    out = io.StringIO()
    console = Console(file=out, width=200)
    return run_resume(job_id, fleet, rig.client(**client), console=console, now=MOMENT), out.getvalue()


def set_state(rig: Rig, job_id: str, state: JobState) -> None:
    store = rig.client().store
    write_status(store, job_id, JobStatus(state, "by hand", NOW), if_etag=read_status(store, job_id).etag)


def test_an_approved_canarys_rest_is_sent_once(rig, fleet):
    asked = plan(1000, canary_count=20)
    enqueue_job(rig.client(), asked, now=NOW, watcher=Quiet())
    assert resume(rig, fleet, asked.job.id)[0] is ExitCode.DONE
    assert rig.client().queues.tiles.depth() == 20
    set_state(rig, asked.job.id, JobState.RUNNING)
    code, said = resume(rig, fleet, asked.job.id)
    assert (code, "980 new" in said) == (ExitCode.DONE, True)
    assert "0 new" in resume(rig, fleet, asked.job.id)[1]
    sent = names(rig.messages())
    assert len(sent) == len(set(sent)) == 1000


def test_an_interrupted_sending_goes_on_from_its_cursor(rig, fleet):
    asked = plan(1200)
    cut = {"left": 600}

    def fault(moment: str, operation: str, _name: str) -> None:
        if (moment, operation) == ("before", "send"):
            cut["left"] -= 1
            if cut["left"] < 0:
                raise StorageUnavailable("away")

    enqueue_job(rig.client(), plan(1), now=NOW, watcher=Quiet())
    with pytest.raises(StorageUnavailable):
        enqueue_job(rig.client(fault), asked, now=NOW, watcher=Quiet())
    assert read_cursor(rig.client().store, asked.job.id) == Cursor(512)
    assert resume(rig, fleet, asked.job.id)[0] is ExitCode.DONE
    assert set(names(rig.messages())) >= set(asked.asked.decode().split())


def test_storage_that_goes_away_meanwhile_ends_with_what_to_type(rig, fleet):
    asked = plan(5, canary_count=1)
    enqueue_job(rig.client(), asked, now=NOW, watcher=Quiet())
    set_state(rig, asked.job.id, JobState.RUNNING)

    def fault(_moment: str, operation: str, _name: str) -> None:
        if operation == "send":
            raise StorageUnavailable("away")

    code, said = resume(rig, fleet, asked.job.id, fault=fault)
    assert code is ExitCode.ENDED_EARLY
    assert "type the same command again" in said


def test_a_job_that_is_not_there_or_may_not_be_sent_is_refused(rig, fleet):
    asked = plan(5)
    enqueue_job(rig.client(), asked, now=NOW, watcher=Quiet())
    with pytest.raises(BadInput, match=f"did you mean {asked.job.id}"):
        resume(rig, fleet, asked.job.id[:-1] + "z")
    set_state(rig, asked.job.id, JobState.CANCELLED)
    with pytest.raises(BadInput, match="is cancelled"):
        resume(rig, fleet, asked.job.id)
