"""verify, repair and explain as a person types them, on a job that a real worker did on real storage."""

from __future__ import annotations

import json

import pytest

from contract import artifact_names
from contract.commit import read_commit
from contract.commit_marks import TILE
from contract.job_store import asked_tiles, read_asked, read_job
from tests.fleet_rig import ISLE_OF_MAN_ROWS, FleetRig

pytestmark = pytest.mark.slow


def work(rig: FleetRig, name: str) -> None:
    worker = rig.start_consumer(name, "--until-empty")
    assert worker.wait(timeout=120) == 0, rig.log_of(name)


def test_a_job_is_verified_damaged_explained_repaired_and_whole_again(rig):
    job_id = rig.enqueue(
        *ISLE_OF_MAN_ROWS, infer_seconds=0, download_seconds=0, artifacts=2, artifact_bytes=100
    )
    work(rig, "w1")
    assert "complete: 18 asked = 18 committed, 0 explained" in rig.type("fleetctl", "verify", job_id)

    job = read_job(rig.store, job_id)
    lost, flipped, *_ = asked_tiles(read_asked(rig.store, job))
    blobs = [
        artifact_names.published(
            job.dataset, read_commit(rig.store, job.dataset, tile, 1).record.artifacts[0].name
        )
        for tile in (lost, flipped)
    ]
    before = rig.store.read(blobs[1])
    assert before.info.metadata[TILE] == flipped.path_name, "copies keep what the upload said"
    rig.store.delete(blobs[0])
    rig.store.put(blobs[1], before.data[::-1], metadata=before.info.metadata)

    answer = rig.type("fleetctl", "verify", job_id, "--json", status=1)
    found = json.loads(answer[answer.index("{") :])
    assert {(fault["tile"], fault["kind"]) for fault in found["faults"]} == {
        (lost.name, "missing"),
        (flipped.name, "wrong MD5"),
    }
    assert "nothing of" in rig.type("fleetctl", "verify", job_id, "--repair", status=2)

    repaired = rig.type("fleetctl", "verify", job_id, "--repair", "--yes", status=1)
    assert "2 tiles: generation 2 asked again" in repaired
    longitude, latitude = lost.centre
    assert "a worker receives generation 2" in rig.type("fleetctl", "explain", f"{latitude},{longitude}")
    work(rig, "w2")
    assert "complete: 18 asked" in rig.type("fleetctl", "verify", job_id, "--repair", "--yes")
    assert rig.store.read(blobs[1]).data == before.data
    story = rig.type("fleetctl", "explain", lost.name, "--job", job_id)
    for words in (
        "fleetctl verify --repair: missing",
        "generation 2: done",
        "w1",
        "w2",
        "next: nothing: it is done",
    ):
        assert words in story


def test_mistakes_are_one_sentence_and_status_2(rig):
    assert "there is no job" in rig.type("fleetctl", "verify", "nowhere", status=2)
    assert "no place" in rig.type("fleetctl", "explain", "-33,x", status=2)
    assert "not asked for by any job" in rig.type("fleetctl", "explain", "-33.95,18.45", status=2)
