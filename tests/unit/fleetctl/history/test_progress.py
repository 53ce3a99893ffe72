"""Progress is what was asked and what is committed, whatever the ledger's lines say twice, late or never."""

from __future__ import annotations

import random

import pytest
import structlog

from contract.artifact_names import job_asked, job_record
from contract.budget import write_budget
from contract.errors import StorageUnavailable
from contract.job import JobState
from contract.ledger_events import POISONED
from tests.unit.fleetctl.history.history_rig import TILES, HistoryRig


@pytest.fixture
def rig():
    return HistoryRig()


def counts(history):
    return [(job.asked, job.committed, job.explained) for job in history.jobs()]


def test_nothing_is_said_of_jobs_before_they_were_read(rig):
    with pytest.raises(StorageUnavailable):
        rig.history().jobs()


def test_commits_count_without_any_line(rig):
    rig.ask()
    rig.commit(TILES[0])
    rig.poison(TILES[1])
    rig.poison(TILES[0])  # given up first, done later
    history = rig.history()
    history.catch_up()
    assert counts(history) == [(10, 1, 1)]


def test_a_job_whose_asked_list_was_changed_is_said_once_and_the_others_are_counted(rig):
    broken = rig.ask("broken-job", TILES[:2])
    rig.ask()
    rig.commit(TILES[0])
    rig.store.put(job_asked(broken.id), b"grid_0.05_0.05\n")
    history = rig.history()
    with structlog.testing.capture_logs() as logs:
        history.catch_up()
        history.list_once()
    assert counts(history) == [(2, 0, 0), (10, 1, 0)]
    assert [line["job"] for line in logs if line["event"] == "job left out"] == [broken.id]


def test_done_lines_count_between_two_listings_each_tile_once(rig):
    rig.ask()
    rig.ask("other-job", TILES[:3])
    history = rig.history()
    history.catch_up()
    first, second = rig.worker("w1"), rig.worker("w2")
    for writer in (first, second):
        rig.done(writer, TILES[0])
    rig.done(first, TILES[5])
    rig.say(first, POISONED, TILES[6], cause="tile")
    history.follow_once()
    assert sorted(counts(history)) == [(3, 1, 0), (10, 2, 1)]


def test_a_revoked_tile_is_left_again(rig):
    rig.ask()
    for tile in TILES[:3]:
        rig.commit(tile)
    rig.revoke(TILES[0])
    rig.revoke(TILES[1])
    rig.commit(TILES[1], 2)
    history = rig.history()
    history.catch_up()
    assert counts(history) == [(10, 2, 0)]


def test_jobs_that_are_over_are_left_out_and_come_back_when_reopened(rig):
    job = rig.ask()
    history = rig.history()
    history.catch_up()
    rig.set_state(job, JobState.FINISHED)
    history.follow_once()
    assert history.jobs() == ()
    rig.set_state(job, JobState.RUNNING, "asked again")
    history.follow_once()
    assert [seen.reason for seen in history.jobs()] == ["asked again"]


def test_a_budget_that_is_set_or_raised_is_seen_at_the_next_look(rig):
    job = rig.ask()
    history = rig.history()
    for usd in (100.0, 250.0, None):
        write_budget(rig.store, job.id, usd)
        history.follow_once()
        assert [seen.budget_usd for seen in history.jobs()] == [usd]


def test_a_job_that_cannot_be_read_hides_no_other(rig):
    rig.store.put(job_record("broken-00000000"), b"{}")
    rig.ask()
    history = rig.history()
    history.catch_up()
    assert len(history.jobs()) == 1


def test_the_next_controller_begins_with_what_the_last_one_counted(rig):
    rig.ask()
    rig.commit(TILES[0])
    history = rig.history()
    history.catch_up()
    writer = rig.worker()
    rig.done(writer, TILES[1], seconds=80.0)
    history.follow_once()
    history.keep()
    rig.done(writer, TILES[2], seconds=90.0)
    after = rig.history()
    after.follow_once()  # lists no commit
    assert counts(after) == [(10, 3, 0)]
    assert after.tile_seconds() == 85.0


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", b"x" * 500])
def test_a_damaged_snapshot_is_made_anew(rig, damage):
    from contract.artifact_names import HISTORY

    rig.ask()
    rig.commit(TILES[0])
    rig.store.put(HISTORY, damage)
    history = rig.history()
    history.catch_up()
    assert counts(history) == [(10, 1, 0)]


@pytest.mark.parametrize("seed", range(20))
def test_counts_agree_with_the_listing_whatever_came_in_between(rig, seed):
    """Lines twice, late or missing, restarts, listings in between: after the next listing the count is right."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    rig.ask()
    history, writer = rig.history(), rig.worker()
    done = set()
    for tile in chance.sample(TILES, k=8):
        rig.commit(tile)
        done.add(tile)
        for _ in range(chance.choice((0, 1, 2))):
            rig.done(writer, chance.choice(sorted(done)))
        step = chance.choice((history.follow_once, history.catch_up, history.keep, None))
        if step is None:
            history = rig.history()
        else:
            step()
        history.follow_once()
        assert all(job.committed <= len(done) for job in history.jobs())
    last = rig.history()
    last.catch_up()
    assert counts(last) == [(10, 8, 0)]
