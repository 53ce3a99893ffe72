"""What is built on the ports, once on the real emulator: commit, redo, ledger and heartbeat."""

from __future__ import annotations

from dataclasses import replace

from contract.commit import LostTo, create_commit, publish, revoke
from contract.heartbeat import Heartbeat, WorkerState, read_heartbeats, write_heartbeat
from contract.ledger import LedgerReader, LedgerWriter
from contract.ledger_events import DONE
from tests.unit.contract.attempts import DATASET, TILE, Attempt, assert_whole


def test_of_two_attempts_one_is_committed_and_the_other_publishes_it(stores):
    first, second = stores
    winner, loser = Attempt("a1"), Attempt("a2")
    winner.upload(first)
    loser.upload(second)
    create_commit(first, winner.record())
    assert create_commit(second, loser.record()) == LostTo(winner.record())
    loser.settle(second)
    assert publish(first, winner.record()) == winner.record()
    assert assert_whole(first, [winner, loser]) is winner
    assert list(first.names("staging/")) == []


def test_a_redo_replaces_the_bytes_and_removes_what_is_no_longer_there(store):
    old, new = Attempt("a1"), Attempt("b1", generation=2, names=("preview/x.png",))
    old.finish(store)
    revoke(store, DATASET, TILE, 1, "clouds")
    new.finish(store)
    assert_whole(store, [old, new], generation=2)


def test_ledger_lines_are_followed_across_streams(stores):
    first, second = stores
    reader, positions, seen = LedgerReader(first), {}, []
    writers = [LedgerWriter(store, stream) for store, stream in ((first, "a"), (second, "b"), (second, "a"))]
    for n in range(3):
        for who, writer in enumerate(writers):
            writer.write(DONE, n=n, who=who)
            writer.flush()
        events, positions = reader.read_new(positions)
        seen += [(event["who"], event["n"]) for event in events]
    assert sorted(seen) == [(who, n) for who in range(3) for n in range(3)]


def test_heartbeats_come_back_whole_and_young(store):
    heartbeat = Heartbeat(
        worker="vm1-slot0",
        vm="vm1",
        boot_id="b",
        started="2026-01-01T00:00:00Z",
        state=WorkerState.IDLE,
        tiles=(),
        held_count=0,
        cpu_percent=1.5,
        memory_bytes=2**30,
        gpu_percent=0.0,
        prefetched_bytes=0,
        last_error="  blanks at both ends, <&> and é  ",
    )
    write_heartbeat(store, heartbeat)
    write_heartbeat(store, replace(heartbeat, worker="vm2-slot0"))
    seen = read_heartbeats(store).seen
    assert [one.heartbeat for one in seen] == [heartbeat, replace(heartbeat, worker="vm2-slot0")]
    assert all(0 <= one.age_seconds < 60 for one in seen)
