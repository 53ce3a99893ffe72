"""What only real processes can show: one that is stopped for longer than its lease, and a storage that restarts."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from consumer.exit_codes import ExitCode
from contract import artifact_names
from contract.commit import read_commit
from contract.completion import completion
from contract.fleet import LAPTOP_FOLDER, LAPTOP_VARIABLE
from contract.job_store import asked_tiles, read_asked, read_job
from laptop_cloud import azurite as emulator
from laptop_cloud import processes
from tests.fleet_rig import FleetRig, is_drained, make_rig, stages_of, wait_for

pytestmark = pytest.mark.slow

ONE_TILE = "bbox:-4.6,54.1,-4.5,54.2"
SIX_TILES = "bbox:-4.9,54.1,-4.3,54.2"


def winners(rig: FleetRig, job_id: str) -> list[str]:
    """Who committed each tile; every commit is published."""
    job = read_job(rig.store, job_id)
    names = []
    for tile in asked_tiles(read_asked(rig.store, job)):
        committed = read_commit(rig.store, job.dataset, tile, 1)
        assert committed is not None
        assert committed.is_published
        names.append(committed.record.done["worker"])
    return names


def test_a_worker_stopped_for_longer_than_its_lease_finds_the_tile_taken_and_touches_nothing(rig):
    job = rig.enqueue(ONE_TILE, infer_seconds=4)
    sleeper = rig.start_consumer("sleeper", "--until-empty", TILEFLEET_CONSUMER_HEARTBEAT_SECONDS="0.2")
    wait_for(lambda: "infer" in stages_of(rig, "sleeper"), "an inference")
    os.killpg(sleeper.pid, signal.SIGSTOP)
    other = rig.start_consumer("other", "--until-empty")
    assert other.wait(60) == ExitCode.DONE
    assert is_drained(rig)
    (commit,) = rig.store.listing(artifact_names.commits_prefix(read_job(rig.store, job).dataset))
    os.killpg(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(60) == ExitCode.DONE
    assert "lease lost" in rig.log_of("sleeper")
    assert winners(rig, job) == ["other"]
    assert rig.store.info(commit.name).etag == commit.etag
    assert list(rig.store.names("staging/")) == []


def test_workers_survive_a_storage_that_restarts_and_finish(tmp_path):
    home = Path(os.environ.get(LAPTOP_VARIABLE, "") or Path(__file__).resolve().parents[2] / LAPTOP_FOLDER)
    installed, data = emulator.install(home), tmp_path / "data"
    ports = {"blob_port": processes.free_port(), "queue_port": processes.free_port()}
    with ExitStack() as stack:
        with emulator.running(installed, data, **ports) as endpoints:
            rig = make_rig(tmp_path, endpoints.queue_url, endpoints.blob_url)
            stack.callback(rig.end)
            job = rig.enqueue(SIX_TILES, infer_seconds=0.5, write_seconds=0.5, artifacts=3)
            workers = [rig.start_consumer(f"w{number}", "--until-empty") for number in range(2)]
            wait_for(lambda: completion(rig.store, job).committed >= 1, "the first commit")
        assert [worker.poll() for worker in workers] == [None, None]
        wait_for(lambda: "storage trouble" in rig.log_of("w0") + rig.log_of("w1"), "a worker to miss it")
        stack.enter_context(emulator.running(installed, data, **ports))
        assert [worker.wait(120) for worker in workers] == [ExitCode.DONE] * 2
        assert len(winners(rig, job)) == 6
        wait_for(lambda: is_drained(rig), "the queues to be empty")
        for name in ("w0", "w1"):
            assert "Traceback" not in rig.log_of(name)


def test_a_second_signal_ends_a_worker_at_once(rig):
    rig.enqueue(ONE_TILE, fault="stuck in infer")
    worker = rig.start_consumer("stubborn", TILEFLEET_CONSUMER_HEARTBEAT_SECONDS="0.2")
    wait_for(lambda: "infer" in stages_of(rig, "stubborn"), "an inference")
    worker.send_signal(signal.SIGTERM)
    wait_for(lambda: "worker leaving" in rig.log_of("stubborn"), "it to leave")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 130


def test_a_recipe_stuck_in_foreign_code_keeps_no_process_past_its_grace(rig):
    rig.enqueue(ONE_TILE, fault="stuck in infer")
    worker = rig.start_consumer(
        "wedged", TILEFLEET_CONSUMER_HEARTBEAT_SECONDS="0.2", TILEFLEET_CONSUMER_GRACE_SECONDS="7"
    )
    wait_for(lambda: "infer" in stages_of(rig, "wedged"), "an inference")
    worker.send_signal(signal.SIGTERM)
    try:
        assert worker.wait(30) == ExitCode.DONE
    except subprocess.TimeoutExpired:
        pytest.fail(rig.log_of("wedged"))
    assert len(rig.queues.tiles.receive(32, 5)) == 1


def test_a_worker_with_other_weights_ends_unfit_and_charges_nobody(rig):
    job = rig.enqueue(ONE_TILE)
    weights = rig.folder / "other.pt"
    weights.write_bytes(b"not what the dataset pins")
    worker = rig.start_consumer("mismatched", "--weights", str(weights))
    assert worker.wait(60) == ExitCode.UNFIT
    assert "wrong weights" in rig.log_of("mismatched")
    right = rig.start_consumer("right", "--until-empty")
    assert right.wait(60) == ExitCode.DONE
    assert winners(rig, job) == ["right"]
