"""Workers as processes on real storage: a whole job, deaths in every stage, leaving, foreign messages."""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest

from consumer.exit_codes import ExitCode
from consumer.outcome import Return, judge
from contract import artifact_names
from contract.commit import read_commit
from contract.completion import completion
from contract.errors import GiveUp
from contract.heartbeat import read_heartbeats
from contract.job_store import asked_tiles, read_asked, read_job
from contract.tile_message import decode_message
from tests.fleet_rig import ISLE_OF_MAN_ROWS, FleetRig, wait_for

pytestmark = pytest.mark.slow


def committed_once(rig: FleetRig, job_id: str) -> list[dict]:
    """The `done` facts of a complete job whose every tile has one published commit and its own bytes."""
    job = read_job(rig.store, job_id)
    tiles = list(asked_tiles(read_asked(rig.store, job)))
    done = []
    for tile in tiles:
        committed = read_commit(rig.store, job.dataset, tile, 1)
        assert committed is not None, tile
        assert committed.is_published, tile
        for artifact in committed.record.artifacts:
            info = rig.store.info(artifact_names.published(job.dataset, artifact.name))
            assert (info.length, info.md5.hex()) == (artifact.length, artifact.md5)
        done.append(dict(committed.record.done))
    names = list(rig.store.names(artifact_names.commits_prefix(job.dataset)))
    assert len(names) == len(tiles)
    return done


def stages_of(rig: FleetRig, worker: str) -> set[str]:
    return {
        held.stage
        for seen in read_heartbeats(rig.store).seen
        if seen.heartbeat.worker == worker
        for held in seen.heartbeat.tiles
    }


def is_drained(rig: FleetRig) -> bool:
    return rig.queues.tiles.depth() == 0 and rig.queues.urgent.depth() == 0


def test_three_workers_commit_eighteen_tiles_once_each_and_end(rig):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS)
    workers = [rig.start_consumer(f"w{n}", "--until-empty") for n in range(3)]
    assert [worker.wait(120) for worker in workers] == [ExitCode.DONE] * 3
    done = committed_once(rig, job)
    assert len(done) == 18
    assert sum(Counter(facts["worker"] for facts in done).values()) == 18
    assert is_drained(rig)
    assert list(rig.store.names(f"staging/{read_job(rig.store, job).dataset}")) == []


def test_a_worker_killed_in_each_stage_loses_nothing_and_doubles_nothing(rig):
    job = rig.enqueue(
        *ISLE_OF_MAN_ROWS,
        download_seconds=1,
        prepare_seconds=1,
        infer_seconds=1,
        write_seconds=1,
        artifacts=60,
    )
    for stage in ("download", "prepare", "infer", "upload", "settle"):
        victim = rig.start_consumer(f"victim-{stage}", TILEFLEET_CONSUMER_HEARTBEAT_SECONDS="0.2")
        wait_for(lambda s=stage: s in stages_of(rig, f"victim-{s}"), f"a tile in {stage}")
        victim.send_signal(signal.SIGKILL)
        assert victim.wait(20) == -signal.SIGKILL
    survivors = [rig.start_consumer(f"survivor-{n}", "--until-empty") for n in range(2)]
    assert [worker.wait(220) for worker in survivors] == [ExitCode.DONE] * 2
    assert len(committed_once(rig, job)) == 18
    wait_for(lambda: is_drained(rig), "the queues to be empty")
    assert completion(rig.store, job).committed == 18


def test_sigterm_frees_what_is_not_inferred_and_finishes_what_is(rig):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=0.1, infer_seconds=3)
    worker = rig.start_consumer("leaver", TILEFLEET_CONSUMER_HEARTBEAT_SECONDS="0.2")
    wait_for(lambda: "infer" in stages_of(rig, "leaver"), "an inference")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == ExitCode.DONE
    assert completion(rig.store, job).committed >= 1
    # Nothing is hidden any more: one receive per 32 sees all that is left.
    left = 18 - completion(rig.store, job).committed
    seen = rig.queues.tiles.receive(32, 5)
    assert len(seen) == left
    assert all(json.loads(held.body).get("tries", {}) == {} for held in seen)


def test_a_halt_file_counts_as_an_eviction_and_puts_tiles_in_front(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=30)
    halt = rig.folder / "halt.txt"
    worker = rig.start_consumer("evictee", TILEFLEET_CONSUMER_HALT_FILE=str(halt))
    wait_for(lambda: "download" in stages_of(rig, "evictee"), "a download")
    halt.touch()
    assert worker.wait(60) == ExitCode.EVICTED
    urgent = rig.queues.urgent.receive(32, 5)
    assert len(urgent) == 2
    assert all(json.loads(held.body)["tries"] == {"evicted": 1} for held in urgent)
    assert len(rig.queues.tiles.receive(32, 5)) == 16


def test_messages_that_are_not_ours_are_kept_with_a_reason_whatever_their_bytes(rig):
    job = rig.enqueue("bbox:-4.6,54.1,-4.5,54.2")
    bodies = ["", "hello", "{}", "[1,2]", '{"v":2}', '{"v":1,"tile":"../../etc"}', "x" * 60_000, "<&>\"'ä"]
    for body in bodies:
        rig.queues.tiles.send(body)
    worker = rig.start_consumer("strict")
    wait_for(lambda: rig.queues.tiles.depth() == 0, "the queue to be empty")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == ExitCode.DONE
    entries = [json.loads(rig.store.read(name).data) for name in rig.store.names("poison/foreign/")]
    assert len(entries) == len(bodies)
    assert all(entry["reason"] for entry in entries)
    assert rig.queues.poison.depth() == len(bodies)
    assert completion(rig.store, job).committed == 1


def test_the_second_identical_failure_is_poison_and_explains_the_job(rig):
    job = rig.enqueue("bbox:-4.6,54.1,-4.5,54.2", fault="tile")
    (held,) = rig.queues.tiles.receive(1, 60)
    error = GiveUp("the toy tile has 3 bands, 10 were expected")
    first = judge(error, decode_message(held.body), attempt="a1", worker="w1", is_evicted=False)
    assert isinstance(first, Return)
    rig.queues.give_back(held, first.message.encode(), 0)
    worker = rig.start_consumer("patient", "--until-empty")
    assert worker.wait(60) == ExitCode.DONE
    (name,) = rig.store.names(artifact_names.POISON_PREFIX)
    entry = json.loads(rig.store.read(name).data)
    assert entry["cause"] == "tile"
    assert len(entry["attempts"]) == 2
    assert completion(rig.store, job).explained == 1
    assert is_drained(rig)


def test_an_unfit_worker_hands_back_uncharged_and_stops(rig):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS, fault="worker")
    worker = rig.start_consumer("sick")
    assert worker.wait(60) == ExitCode.UNFIT
    messages = [json.loads(held.body) for held in rig.queues.tiles.receive(32, 5)]
    assert len(messages) == 18
    touched = [message for message in messages if message.get("tries")]
    assert 1 <= len(touched) <= 2
    assert all(message["tries"] == {"worker": 1} for message in touched)
    assert completion(rig.store, job).committed == 0


def test_three_tiles_in_flight_when_inference_is_quick(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, download_seconds=0.68, write_seconds=0.02, infer_seconds=0.5)
    worker = rig.start_consumer("quick", "--until-empty")
    assert worker.wait(120) == ExitCode.DONE
    changes = [json.loads(line) for line in rig.log_of("quick").splitlines() if "tiles in flight" in line]
    assert changes[0]["now"] == 2
    assert changes[-1]["now"] == 3


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TILEFLEET_STORAGE_KEY": "d3Jvbmc="}, "credential"),
        ({"TILEFLEET_CONSUMER_LEASE_SECONDS": "soon"}, "lease_seconds"),
        ({"TILEFLEET_CONSUMER_LAESE_SECONDS": "90"}, "did you mean TILEFLEET_CONSUMER_LEASE_SECONDS"),
        ({"FLEET": "nobody"}, "there is no fleet file"),
        ({"FLEET": "laptop", "TILEFLEET_LAPTOP": "nowhere"}, "make laptop"),
    ],
)
def test_a_mistake_ends_with_one_sentence_and_status_2(rig, environ, words):
    rig.environ |= environ
    output = rig.type("consumer", "run", "--until-empty", status=2)
    sentence = [line for line in output.splitlines() if line.startswith("consumer: ")]
    assert len(sentence) == 1, output
    assert words in sentence[0]


def test_a_missing_queue_is_named(rig):
    path = rig.folder / "fleets" / "other.toml"
    path.write_text(
        (rig.folder / "fleets" / f"{rig.fleet.name}.toml").read_text().replace(rig.fleet.name, "other")
    )
    rig.environ["FLEET"] = "other"
    output = rig.type("consumer", status=2)
    assert "other-tiles" in output


def test_prefetched_tiles_stay_within_the_memory_they_were_given(rig):
    rig.enqueue(*ISLE_OF_MAN_ROWS, memory_bytes=100_000_000, download_seconds=0.5, infer_seconds=0.1)
    worker = rig.start_consumer("modest", "--until-empty", "--memory", "250M")
    assert worker.wait(120) == ExitCode.DONE
    (ended,) = [json.loads(line) for line in rig.log_of("modest").splitlines() if "worker ended" in line]
    assert 200_000_000 <= ended["most_reserved_bytes"] <= 250 * 1024 * 1024
    assert ended["most_inferences_at_once"] == 1
