"""Workers as processes on real storage: a whole job, leaving, foreign messages, poison, mistakes."""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest

from consumer.exit_codes import ExitCode
from consumer.outcome import Return, judge
from contract import artifact_names
from contract.completion import completion
from contract.errors import GiveUp
from contract.job_store import read_job
from contract.tile_message import decode_message
from tests.fleet_rig import ISLE_OF_MAN_ROWS, committed_once, is_drained, stages_of, wait_for

pytestmark = pytest.mark.slow


def test_three_workers_commit_eighteen_tiles_once_each_and_end(rig):
    job = rig.enqueue(*ISLE_OF_MAN_ROWS)
    workers = [rig.start_consumer(f"w{n}", "--until-empty") for n in range(3)]
    assert [worker.wait(120) for worker in workers] == [ExitCode.DONE] * 3
    done = committed_once(rig, job)
    assert len(done) == 18
    assert sum(Counter(facts["worker"] for facts in done).values()) == 18
    assert is_drained(rig)
    assert list(rig.store.names(f"staging/{read_job(rig.store, job).dataset}")) == []


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
