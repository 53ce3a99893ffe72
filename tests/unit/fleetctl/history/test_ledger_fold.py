"""What the ledger's lines come to: delays, outcomes of late, times; and how much is read for it."""

from __future__ import annotations

import pytest

from contract.artifact_names import LEDGER_PREFIX
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.ledger_events import CHECKPOINT_SAVED, RETURNED, TILE_RECEIVED
from fleetctl.controller.snapshot import Attempts
from fleetctl.history import tail
from fleetctl.history.follow import LedgerHistory
from fleetctl.history.tail import LedgerTail
from tests.unit.fleetctl.history.history_rig import TILES, HistoryRig


@pytest.fixture
def rig():
    return HistoryRig()


def test_a_delayed_tile_counts_until_its_time_or_its_next_attempt(rig):
    history, writer = rig.history(), rig.worker()
    for tile, ahead in ((TILES[0], 100), (TILES[1], 200), (TILES[2], 300)):
        rig.say(writer, RETURNED, tile, cause="source", not_before=rig.at(ahead))
    rig.say(rig.worker("w2"), TILE_RECEIVED, TILES[2])
    history.follow_once()
    assert [history.delayed(rig.now + later) for later in (0, 150, 250)] == [2, 1, 0]


def test_attempts_are_counted_over_the_window_and_by_source(rig):
    history, writer = rig.history(), rig.worker()
    rig.done(writer, TILES[0])
    rig.now += 700
    for cause in ("source", "source", "tile", "evicted", "handed_back", "done_already"):
        rig.say(writer, RETURNED, TILES[1], cause=cause)
    rig.done(writer, TILES[2])
    history.follow_once()
    assert history.attempts(rig.now, 600) == Attempts(ended=4, failed_at_source=2)
    assert history.attempts(rig.now, 900) == Attempts(ended=5, failed_at_source=2)


def test_an_outcome_of_a_wrong_clock_keeps_no_others_and_is_none_of_the_window(rig):
    history, writer = rig.history(), rig.worker("w1")
    rig.now += 86_400
    rig.done(writer, TILES[0])
    rig.now -= 86_400
    rig.done(rig.worker("w2"), TILES[1])
    history.follow_once()
    assert history.attempts(rig.now, 600) == Attempts(ended=1, failed_at_source=0)
    rig.now += 3700
    history.follow_once()
    assert history.tiles_done(rig.now, 7200) == 0


def test_catching_up_ends_while_workers_go_on_writing(rig):
    writer, listings = rig.worker(), []

    def write_on(moment, operation, name):
        if (moment, operation, name) == ("before", "listing", LEDGER_PREFIX):
            rig.done(writer, TILES[0])
            listings.append(name)
            assert len(listings) < 20

    history = LedgerHistory(SimulatedBlobStore(rig.container, write_on))
    history.catch_up()
    assert history.tiles_done(rig.now, 600) == len(listings)


def test_times_are_medians_of_the_newest_tiles(rig):
    history, writer = rig.history(), rig.worker()
    assert history.tile_seconds() is None
    for tile, seconds in zip(TILES, (10.0, 20.0, 90.0), strict=False):
        rig.done(writer, tile, seconds)
    history.follow_once()
    assert history.tile_seconds() == 20.0
    assert history.stage_seconds() == {"infer": 20.0}


def test_bytes_are_summed_by_pool_and_job_and_kept_for_the_next_controller(rig):
    history, writer = rig.history(), rig.worker()
    for vm, job, length in (
        ("uk-a10-0001", "j1", 100),
        ("uk-a10-0002", "j1", 10),
        ("uk-amx-0001", "j1", 5),
        ("uk-a10-0001", "j2", 3),
        ("laptop", "j1", 1),
        ("uk-a10-0001", "j1", "many"),
        ("uk-a10-0001", None, 7),
        ("uk-a10-0001", "j1", -7),
    ):
        rig.done(writer, TILES[0], vm=vm, job=job, uploaded_bytes=length)
    rig.say(writer, CHECKPOINT_SAVED, TILES[1], vm="uk-a10-0001", job="j1", bytes=1000)
    history.follow_once()
    sums = {("uk-a10", "j1"): 1110, ("uk-amx", "j1"): 5, ("uk-a10", "j2"): 3}
    assert history.sent_bytes() == sums
    history.keep()
    successor = rig.history()
    successor.follow_once()
    assert successor.sent_bytes() == sums


def test_lines_that_say_nonsense_change_nothing(rig):
    history, writer = rig.history(), rig.worker()
    rig.say(writer, RETURNED, cause=7, not_before="soon")
    writer.write("done", dataset=None, tile="nowhere", seconds=[1])
    writer.flush()
    history.follow_once()
    assert history.delayed(rig.now) == 0
    assert history.tile_seconds() is None


def test_a_pass_reads_a_bounded_number_of_blobs_those_that_waited_longest_first(rig, monkeypatch):
    monkeypatch.setattr(tail, "BLOBS_PER_PASS", 4)
    writers = [rig.worker(f"w{number}") for number in range(10)]
    follower, reads = LedgerTail(rig.store), []
    read_from = rig.store.read_from
    monkeypatch.setattr(
        rig.store, "read_from", lambda name, *a, **k: reads.append(name) or read_from(name, *a, **k)
    )
    heard = []
    for _ in range(5):
        for writer in writers:
            rig.say(writer, TILE_RECEIVED)
        reads.clear()
        heard += follower.read_new()
        assert len(reads) == 4
    assert {event["worker"] for event in heard} == {f"w{number}" for number in range(10)}


def test_streams_that_nobody_wrote_to_for_a_day_are_not_read_at_a_first_start(rig):
    rig.say(rig.worker("old"), TILE_RECEIVED)
    rig.now += 2 * 86_400
    rig.say(rig.worker("new"), TILE_RECEIVED)
    assert [event["worker"] for event in LedgerTail(rig.store).read_new()] == ["new"]


def test_a_stream_that_was_cleared_away_is_forgotten(rig):
    writer = rig.worker()
    rig.say(writer, TILE_RECEIVED)
    follower = LedgerTail(rig.store)
    follower.read_new()
    for name in list(rig.store.names("ledger/")):
        rig.store.delete(name)
    assert follower.read_new() == []
    assert follower.positions == {}
