"""Giving a tile up: what its entry tells, in which order things happen, and what comes from outside."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.poison import MAX_LINE_CHARACTERS, MAX_LOG_LINES, poison_tile
from consumer.recent_lines import KEPT_LINES, LINES_OF_A_TILE, RecentLines
from contract import artifact_names
from contract.errors import GiveUp, StorageUnavailable, WorkerUnfit
from contract.poison_entry import decode_entry
from contract.queue_limits import check_body
from contract.tile_message import TileMessage
from tests.unit.consumer.worker_rig import TILE, Died, StepWorker, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def fail_with(world, error, name, *, fault=None):
    """One worker that receives the tile and meets `error`."""
    worker = StepWorker(world, name, fault) if fault else StepWorker(world, name)
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    work.error = error
    worker.parts.steps.settle(work)
    world.now += 61
    return worker


def entry_of(world, job):
    name = artifact_names.poison(job.dataset, TILE)
    return decode_entry(name, world.store.read(name).data)


def events_of(worker, name):
    worker.parts.reporter._ledger.flush()
    streams = worker.world.names("ledger/")
    lines = [line for stream in streams for line in worker.world.store.read(stream).data.splitlines()]
    return [event for event in map(json.loads, lines) if event["name"] == name]


def test_a_tile_that_harms_workers_names_them_in_its_entry_and_in_the_ledger(world):
    job = world.ask()
    for name in ("w1", "w2", "w3"):
        worker = fail_with(world, WorkerUnfit("Xid 31"), name)
        assert "Xid 31" in worker.parts.state.unfit
    entry = json.loads(world.store.read(artifact_names.poison(job.dataset, TILE)).data)
    assert entry["harmed_workers"] == ["w1", "w2", "w3"]
    (event,) = events_of(worker, "poisoned")
    assert event["harmed_workers"] == ["w1", "w2", "w3"]
    assert event["reason"].startswith("harms workers: w1, w2, w3")
    assert world.depths() == (0, 0, 1)


def test_an_entry_has_the_raw_bytes_the_attempts_the_cause_and_the_last_log_lines(world):
    job = world.ask()
    fail_with(world, GiveUp("3 bands"), "w1")
    worker = StepWorker(world, "w2")
    (work,) = worker.receive()
    worker.parts.steps.fetch(work)
    recent = worker.parts.receive.recent
    recent(None, "info", {"event": "scenes chosen", "tile": TILE.name, "count": 7})
    recent(None, "info", {"event": "somebody else's", "tile": "grid_0.05_0.05"})
    recent(None, "info", {"event": "driver complains"})
    raw = work.held.body
    work.error = GiveUp("3 bands")
    worker.parts.steps.settle(work)
    entry = entry_of(world, job)
    assert entry.raw.decode() == raw
    assert [attempt[1] for attempt in entry.attempts] == ["w1", "w2"]
    assert (entry.cause, entry.reason) == ("tile", "failed 2 times in the same way: 3 bands")
    assert ["scenes chosen" in entry.log_lines[0], "driver" in entry.log_lines[1]] == [True, True]
    assert len(entry.log_lines) == 2


def test_log_lines_are_few_short_and_without_secrets(world):
    job = world.ask()
    (held,) = world.queues.tiles.receive(1, 30)
    message = TileMessage(job.id, job.dataset, TILE)
    lines = [f"{n} GET https://a/b?sv=1&sig=SECRET " + "x" * 2000 for n in range(100)]
    reason = "GET https://a/b?sig=SECRET"
    poison_tile(world.store, world.queues, held, message, cause="tile", reason=reason, log_lines=lines)
    data = world.store.read(artifact_names.poison(job.dataset, TILE)).data
    assert b"SECRET" not in data
    assert len(data) < MAX_LOG_LINES * (MAX_LINE_CHARACTERS + 10) + 2000
    assert entry_of(world, job).log_lines[-1].startswith("99 GET")


def test_recent_lines_keep_a_bounded_number_of_lines():
    recent = RecentLines()
    for number in range(2 * KEPT_LINES):
        assert recent(None, "info", {"event": "x" * 5000, "tile": "t", "n": number})["n"] == number
    assert len(recent.of_tile("t")) == LINES_OF_A_TILE
    assert recent.of_tile("another") == []


@pytest.mark.parametrize("operation", ["create", "send", "complete"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_while_it_gives_a_tile_up_leaves_one_entry_and_no_message(world, operation, when):
    job = world.ask()
    fail_with(world, GiveUp("3 bands"), "w1")

    def dies(at, name, _name):
        if (at, name) == (when, operation):
            raise Died

    with pytest.raises(Died):
        fail_with(world, GiveUp("3 bands"), "w2", fault=dies)
    world.now += 91
    if world.depths()[0]:
        fail_with(world, GiveUp("3 bands"), "w3")
    assert world.depths()[:2] == (0, 0)
    assert 1 <= world.depths()[2] <= 2  # readers deduplicate the pointers by the entry's name
    assert len(world.names("poison/")) == 1
    assert entry_of(world, job).tile == TILE


def is_sendable(text):
    try:
        check_body(text)
    except ValueError:
        return False
    return True


BODIES = st.one_of(
    st.text(),
    st.text(st.characters(max_codepoint=0x9F)),
    st.sampled_from(["", "x" * 64 * 1024, "[" * 3000, '{"a":' * 400, '{"v":1}', "null", '"..\\u0000"']),
).filter(is_sendable)


@given(st.lists(BODIES, min_size=1, max_size=6))
def test_whatever_the_bytes_nothing_is_deleted_unseen_and_the_worker_lives(tmp_path_factory, bodies):
    world = World(tmp_path_factory.mktemp("world"))
    for body in bodies:
        world.queues.tiles.send(body)
    worker = StepWorker(world, "w")
    assert worker.receive(32) == []
    assert world.depths() == (0, 0, len(bodies))
    kept = {
        decode_entry(name, world.store.read(name).data).raw.decode("utf-8", "surrogatepass")
        for name in world.names("poison/")
    }
    assert kept == set(bodies)
    for held in world.queues.poison.receive(32, 1):
        assert world.store.info(json.loads(held.body)["poison"])


def test_a_foreign_message_that_cannot_be_kept_is_not_deleted(world):
    world.queues.tiles.send("not ours")

    def away(_when, operation, name):
        if operation == "create" and name.startswith("poison/"):
            raise StorageUnavailable("away")

    assert StepWorker(world, "w", away).receive() == []
    assert world.depths() == (1, 0, 0)
