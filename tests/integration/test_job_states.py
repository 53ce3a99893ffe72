"""Jobs that a person approves, pauses, resumes and cancels, with real workers on real storage."""

import pytest

from consumer.exit_codes import ExitCode
from contract.completion import completion
from contract.job_store import asked_tiles, read_asked, read_job
from tests.fleet_rig import ISLE_OF_MAN_ROWS, wait_for

pytestmark = pytest.mark.slow


def test_a_canary_waits_for_approval_which_sends_the_rest_once(rig):
    words = (*ISLE_OF_MAN_ROWS,)
    job = rig.enqueue(*words, options=["--canary", "3"])
    assert rig.queues.tiles.depth() == 3
    worker = rig.start_consumer("first")
    wait_for(lambda: completion(rig.store, job).committed == 3, "the canary's tiles")
    said = rig.type("fleetctl", "job", "approve", job)
    assert "is running: the rest of its tiles is put on the queue" in said
    assert "15 new" in said
    assert "0 new" in rig.type("producer", "enqueue", *words, "--like", job, "--canary", "3")
    wait_for(lambda: completion(rig.store, job).is_complete, "the other tiles")
    worker.terminate()
    assert worker.wait(60) == ExitCode.DONE
    assert completion(rig.store, job).committed == 18


def test_a_cancelled_jobs_messages_go_without_a_download_and_others_stay(rig):
    cancelled = rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=20)
    other = rig.enqueue("bbox:-4.9,54.0,-4.7,54.1", seed=7)
    refused = rig.type("fleetctl", "job", "cancel", cancelled, status=2)
    assert "add --yes" in refused
    rig.type("fleetctl", "job", "cancel", cancelled, "--yes")
    worker = rig.start_consumer("tidy", "--until-empty")
    assert worker.wait(60) == ExitCode.DONE
    wait_for(lambda: rig.queues.tiles.depth() == 0, "the queue to be empty")
    dataset = read_job(rig.store, cancelled).dataset
    assert list(rig.store.names(f"datasets/{dataset}/commits/")) == []
    assert completion(rig.store, other).committed == 2
    assert "is cancelled" in rig.type("producer", "enqueue", *ISLE_OF_MAN_ROWS, "--like", cancelled, status=2)


def test_a_paused_jobs_tiles_wait_in_the_queue(rig):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS)
    rig.type("fleetctl", "job", "pause", job)
    worker = rig.start_consumer("waiting")
    wait_for(lambda: rig.log_of("waiting").count("tile returned") >= 18, "every tile to be put back")
    assert completion(rig.store, job).committed == 0
    assert rig.queues.tiles.depth() == 18
    rig.type("fleetctl", "job", "resume", job)
    worker.terminate()
    assert worker.wait(60) == ExitCode.DONE
    assert len(list(asked_tiles(read_asked(rig.store, read_job(rig.store, job))))) == 18


def test_once_does_one_tile_and_says_when_there_is_none(rig):
    job = rig.enqueue("bbox:-4.9,54.0,-4.7,54.1")
    for expected in (1, 2, 2):
        rig.type("consumer", "once")
        assert completion(rig.store, job).committed == expected
