"""Replaying: at every instant the tile is explained or asked, whatever ends the program, whoever else is at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.commit import revoke
from contract.errors import BadInput
from contract.job import Job, JobState, JobStatus
from contract.job_store import Cursor, read_status, write_cursor
from fleetctl.askers import find_askers
from fleetctl.poison.drop import drop_entry
from fleetctl.poison.entries import FoundEntry, find_entry
from fleetctl.poison.replay import HIDDEN_SECONDS, Replayed, Replayer, paced
from tests.unit.fleetctl.control_rig import A, B, ControlRig, Crash, CrashesAt

NOW = datetime(2026, 3, 1, 13, tzinfo=UTC)


def found_entry(rig: ControlRig, name: str) -> FoundEntry:
    found = find_entry(rig.store, name)
    assert found is not None
    return found


def replayer(rig: ControlRig, **changes) -> Replayer:
    askers = find_askers(rig.store, {(rig.dataset, tile) for tile in rig.cells})
    made = Replayer(rig.store, rig.queues, askers, now=NOW, clock=rig.clock)
    return replace(made, **changes)


def second_job(rig: ControlRig, **changes) -> Job:
    """Another job of the same dataset, asking the same tiles, all of them sent."""
    job = replace(rig.job, name="again-2024", **changes)
    rig.store.put(artifact_names.job_asked(job.id), rig.store.read(artifact_names.job_asked(rig.job.id)).data)
    rig.store.put(artifact_names.job_record(job.id), job.encode())
    rig.store.put(artifact_names.job_state(job.id), JobStatus(JobState.RUNNING, "", NOW.isoformat()).encode())
    write_cursor(rig.store, job.id, Cursor(len(rig.cells)))
    return job


def test_a_replayed_tile_is_asked_anew_and_its_entry_kept_elsewhere():
    rig = ControlRig()
    name = rig.give_up(A)
    before = rig.store.read(name).data
    assert replayer(rig)(found_entry(rig, name)) is Replayed.ASKED
    assert find_entry(rig.store, name) is None
    (kept,) = rig.store.names("replayed/")
    assert rig.store.read(kept).data == before
    (message,) = rig.messages()
    assert (message.tile, message.generation, message.tries, message.past) == (A, 1, {}, ())


def test_an_entry_that_somebody_acted_on_before_its_turn_is_left_as_it_is():
    rig = ControlRig((A, B))
    replayed, dropped = (found_entry(rig, rig.give_up(tile)) for tile in (A, B))
    assert replayer(rig)(replayed) is Replayed.ASKED
    drop_entry(rig.store, dropped, reason="no imagery", when=NOW.isoformat())
    assert {replayer(rig)(found) for found in (replayed, dropped)} == {Replayed.CHANGED}
    assert found_entry(rig, dropped.blob_name).entry.dropped.reason == "no imagery"
    assert [message.tile for message in rig.messages()] == [A]


@pytest.mark.parametrize("step", range(8))
def test_a_crash_at_any_write_leaves_the_tile_explained_or_asked_and_the_next_replay_ends_it(step):
    rig = ControlRig()
    name = rig.give_up(A)
    fault = CrashesAt(step)
    fragile = replayer(
        rig, store=SimulatedBlobStore(rig.container, fault), queues=rig.queues_with(fault=fault)
    )
    try:
        fragile(found_entry(rig, name))
    except Crash:
        assert rig.is_accounted(A)
        if (found := find_entry(rig.store, name)) is not None:
            assert replayer(rig)(found) is Replayed.ASKED
    assert fault.writes <= 8
    assert rig.is_accounted(A)
    assert find_entry(rig.store, name) is None
    assert {message.tile for message in rig.messages()} == {A}


def test_a_tile_that_fails_again_at_once_writes_an_entry_of_its_own():
    rig = ControlRig()
    name = rig.give_up(A)
    replayer(rig)(found_entry(rig, name))
    assert rig.queues.receive(1, 60) == []
    rig.seconds += HIDDEN_SECONDS
    (held,) = rig.queues.receive(1, 60)
    rig.queues.complete(held)
    assert rig.give_up(A, reason="again") == name
    assert found_entry(rig, name).entry.reason == "again"


def test_a_replay_that_was_held_up_leaves_the_entry_where_it_is():
    rig = ControlRig()
    name = rig.give_up(A)

    class Slow(type(rig.queues.tiles)):
        def send(self, body, *, hidden_seconds=0):
            super().send(body, hidden_seconds=hidden_seconds)
            rig.seconds += HIDDEN_SECONDS

    rig.queues.tiles.__class__ = Slow
    assert replayer(rig)(found_entry(rig, name)) is Replayed.LATE
    assert find_entry(rig.store, name) is not None


def test_a_deletion_that_came_late_asks_once_more():
    rig = ControlRig()
    name = rig.give_up(A)

    class SlowStore(SimulatedBlobStore):
        def delete(self, name):
            rig.seconds += HIDDEN_SECONDS
            # A worker meets the message first, finds the entry, and leaves only that.
            for held in rig.queues.tiles.receive(1, 60):
                rig.queues.complete(held)
            return super().delete(name)

    assert replayer(rig, store=SlowStore(rig.container))(found_entry(rig, name)) is Replayed.ASKED
    assert [message.tile for message in rig.messages()] == [A]


def test_the_newest_generation_is_asked_when_the_old_one_was_revoked_meanwhile():
    rig = ControlRig()
    name = rig.give_up(A)
    rig.campaign.commit(A)
    revoke(rig.store, rig.dataset, A, 1, "corrupt")
    assert replayer(rig)(found_entry(rig, name)) is Replayed.ASKED
    assert [message.generation for message in rig.messages()] == [2]


def test_a_committed_tile_is_not_asked_and_its_entry_goes():
    rig = ControlRig()
    name = rig.give_up(A)
    rig.campaign.commit(A)
    assert replayer(rig)(found_entry(rig, name)) is Replayed.RESOLVED
    assert find_entry(rig.store, name) is None
    assert rig.messages() == []


def test_every_job_that_would_miss_the_tile_has_it_asked_in_its_own_name():
    rig = ControlRig()
    other = second_job(rig)
    name = rig.give_up(A)
    assert replayer(rig)(found_entry(rig, name)) is Replayed.ASKED
    assert {message.job for message in rig.messages()} == {rig.job.id, other.id}


def test_a_cancelled_job_is_not_asked_and_without_any_other_the_entry_stays():
    rig = ControlRig()
    name = rig.give_up(A)
    rig.set_state(JobState.CANCELLED)
    assert replayer(rig)(found_entry(rig, name)) is Replayed.UNASKED
    other = second_job(rig)
    assert replayer(rig)(found_entry(rig, name)) is Replayed.ASKED
    assert [message.job for message in rig.messages()] == [other.id]


def test_a_job_that_has_not_come_to_the_tile_yet_sends_it_itself():
    rig = ControlRig()
    other = second_job(rig)
    write_cursor(rig.store, other.id, Cursor(1))
    assert {job.id for job in find_askers(rig.store, {(rig.dataset, B)}).of(rig.dataset, B)} == {rig.job.id}


def test_a_finished_job_runs_again_and_what_was_urgent_stays_so():
    rig = ControlRig()
    rig.set_state(JobState.FINISHED)
    name = rig.give_up(A)
    rig.store.put(name, rig.store.read(name).data.replace(b'"fleet-tiles"', b'"fleet-urgent"'))
    assert replayer(rig)(found_entry(rig, name)) is Replayed.ASKED
    assert read_status(rig.store, rig.job.id).status.state is JobState.RUNNING
    assert (rig.queues.urgent.depth(), rig.queues.tiles.depth()) == (1, 0)


def test_a_foreign_message_is_never_replayed():
    rig = ControlRig()
    name = rig.give_up_foreign("hello")
    with pytest.raises(BadInput, match="no message of ours"):
        replayer(rig)(found_entry(rig, name))


def test_the_rate_is_kept_also_after_a_pause():
    rig = ControlRig()
    found = found_entry(rig, rig.give_up(A))
    sent: list[float] = []
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    for number, _ in enumerate(paced([found] * 6, 2.0, clock=lambda: now[0], sleep=sleep)):
        sent.append(now[0])
        if number == 2:
            now[0] += 10
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert gaps == [0.5, 0.5, 10, 0.5, 0.5]
