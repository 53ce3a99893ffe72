"""Commit and publication in the ordinary ways: who wins, who finishes, what readers see."""

from __future__ import annotations

import re

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedContainer
from contract.commit import (
    LostTo,
    Standing,
    Won,
    clear_staging,
    create_commit,
    publish,
    read_commit,
    read_standing,
    revoke,
)
from contract.commit_record import MAX_COMMIT_BYTES
from contract.errors import BadInput, Changed, NotFound, StorageError
from contract.tile_id import parse_tile
from tests.unit.contract.attempts import (
    DATASET,
    TILE,
    Attempt,
    FailsAt,
    assert_published_whole,
    client,
    published_bytes,
    staged,
)


@pytest.fixture
def container():
    return SimulatedContainer()


@pytest.fixture
def store(container):
    return client(container)


def test_one_attempt_commits_publishes_and_leaves_no_staging(container, store):
    attempt = Attempt("a1")
    assert attempt.finish(store) == attempt.record()
    assert_published_whole(container, [attempt])
    assert staged(container) == []


def test_nothing_is_published_before_the_commit(store):
    attempt = Attempt("a1")
    attempt.upload(store)
    assert read_commit(store, DATASET, TILE, 1) is None
    with pytest.raises(NotFound, match=re.escape(TILE.name)):
        publish(store, attempt.record())
    assert published_bytes(store) == {}


def test_the_second_attempt_loses_and_is_told_to_whom(container, store):
    first, second = Attempt("a1"), Attempt("a2")
    first.upload(store)
    second.upload(store)
    assert create_commit(store, first.record()) == Won(first.record())
    assert create_commit(store, second.record()) == LostTo(first.record())
    assert create_commit(store, first.record()) == Won(first.record())


def test_the_loser_may_publish_and_publishes_the_winner(container, store):
    winner, loser = Attempt("a1"), Attempt("a2")
    winner.upload(store)
    create_commit(store, winner.record())
    loser.finish(store)
    assert assert_published_whole(container, [winner, loser]) is winner
    assert staged(container) == []


def test_publishing_again_changes_nothing(store):
    attempt = Attempt("a1")
    attempt.finish(store)
    before = [info.etag for info in store.listing("")]
    assert publish(store, attempt.record()) == attempt.record()
    assert [info.etag for info in store.listing("")] == before


def test_a_published_commit_is_told_from_an_unpublished_one_by_one_read(container):
    seen = []
    store = client(container, lambda moment, operation, name: seen.append((moment, operation)))
    attempt = Attempt("a1")
    attempt.upload(store)
    create_commit(store, attempt.record())
    committed = read_commit(store, DATASET, TILE, 1)
    assert committed is not None
    assert (committed.is_published, committed.record) == (False, attempt.record())
    publish(store, attempt.record())
    seen.clear()
    committed = read_commit(store, DATASET, TILE, 1)
    assert committed is not None
    assert committed.is_published
    assert seen == [("before", "read"), ("after", "read")]


def test_staging_stays_while_the_commit_that_names_it_is_unpublished(container, store):
    attempt = Attempt("a1")
    attempt.upload(store)
    assert clear_staging(store, attempt.record(), "a1") == 0
    create_commit(store, attempt.record())
    assert clear_staging(store, attempt.record(), "a1") == 0
    assert len(staged(container)) == 3


def test_a_losers_staging_goes_at_once_and_the_winners_stays(container, store):
    winner, loser = Attempt("a1"), Attempt("a2")
    for attempt in (winner, loser):
        attempt.upload(store)
    create_commit(store, winner.record())
    assert clear_staging(store, winner.record(), "a2") == 3
    assert all("/a1/" in name for name in staged(container))
    assert len(staged(container)) == 3


def test_once_published_the_uploads_of_dead_attempts_go_too_but_not_those_of_a_newer_generation(
    container, store
):
    dead, newer, winner = Attempt("dead"), Attempt("newer", generation=2), Attempt("a1")
    for attempt in (dead, newer):
        attempt.upload(store)
    winner.finish(store)
    assert staged(container) == [artifact.staging for artifact in newer.record().artifacts]


def test_an_artifact_that_is_not_what_the_commit_says_is_never_published_as_done(store):
    attempt = Attempt("a1")
    attempt.upload(store)
    create_commit(store, attempt.record())
    store.put(attempt.record().artifacts[1].staging, b"something else")
    with pytest.raises(StorageError, match="the commit says"):
        publish(store, attempt.record())
    committed = read_commit(store, DATASET, TILE, 1)
    assert committed is not None
    assert not committed.is_published


def test_a_commit_whose_uploads_are_gone_says_so_and_what_to_do(store):
    attempt = Attempt("a1")
    attempt.upload(store)
    create_commit(store, attempt.record())
    store.delete(attempt.record().artifacts[2].staging)
    with pytest.raises(StorageError, match="revoke the tile"):
        publish(store, attempt.record())


def test_an_empty_tile_is_committed_like_any_other(container, store):
    attempt = Attempt("a1", names=())
    attempt.finish(store)
    assert_published_whole(container, [attempt])


def test_readers_keep_the_old_bytes_until_the_new_generation_is_committed(container, store):
    old, new = Attempt("a1"), Attempt("b1", generation=2)
    old.finish(store)
    assert revoke(store, DATASET, TILE, 1, "cloud shadows") == 2
    assert published_bytes(store) == old.files
    new.upload(store)
    assert published_bytes(store) == old.files
    new.settle(store)
    assert_published_whole(container, [old, new], generation=2)


def test_what_the_new_generation_does_not_have_is_no_longer_published(container, store):
    old, new = Attempt("a1"), Attempt("b1", generation=2, names=("preview/x.png",))
    old.finish(store)
    revoke(store, DATASET, TILE, 1, "no usable imagery after all")
    new.finish(store)
    assert_published_whole(container, [old, new], generation=2)


def test_revoking_twice_keeps_the_first_reason_and_an_unknown_generation_is_refused(store):
    Attempt("a1").finish(store)
    assert revoke(store, DATASET, TILE, 1, "first") == revoke(store, DATASET, TILE, 1, "second") == 2
    assert b"first" in store.read(artifact_names.revocation(DATASET, TILE, 1)).data
    with pytest.raises(BadInput, match="no commit of generation 2"):
        revoke(store, DATASET, TILE, 2, "x")


def test_a_late_worker_of_a_revoked_generation_finds_the_standing_commit(container, store):
    old, new, late = Attempt("a1"), Attempt("b1", generation=2), Attempt("late")
    late.upload(store)
    old.finish(store)
    revoke(store, DATASET, TILE, 1, "x")
    assert create_commit(store, late.record()) == LostTo(old.record())
    new.finish(store)
    assert create_commit(store, late.record()) == LostTo(new.record())
    late.settle(store)
    assert_published_whole(container, [old, new, late], generation=2)


def test_a_generation_revoked_before_it_had_a_result_cannot_be_committed(store):
    store.create(artifact_names.revocation(DATASET, TILE, 1), b"{}")
    attempt = Attempt("a1")
    attempt.upload(store)
    with pytest.raises(Changed, match="revoked before"):
        create_commit(store, attempt.record())
    assert read_standing(store, DATASET, TILE).committed == frozenset()


def test_the_standing_of_another_tile_is_not_ours(store):
    Attempt("a1").finish(store)
    assert read_standing(store, DATASET, parse_tile("grid_-4.55_54.05")) == Standing(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("committed", "revoked", "is_done", "asked"),
    [
        ((), (), False, 1),
        ((1,), (), True, 1),
        ((1,), (1,), False, 2),
        ((1, 2), (1,), True, 2),
        ((1, 2), (1, 2), False, 3),
    ],
)
def test_a_standing_says_whether_the_tile_is_done_and_which_generation_is_asked(
    committed, revoked, is_done, asked
):
    standing = Standing(frozenset(committed), frozenset(revoked))
    assert (standing.is_done, standing.asked) == (is_done, asked)


def test_a_commit_blob_of_another_name_or_too_long_is_refused(store):
    for data, complaint in (
        (Attempt("a1").record().encode(), "holds the commit"),
        (b" " * (MAX_COMMIT_BYTES + 1), "g2 is no commit"),
    ):
        store.put(artifact_names.commit(DATASET, TILE, 2), data)
        with pytest.raises(BadInput, match=complaint):
            read_commit(store, DATASET, TILE, 2)


def test_an_attempt_makes_eleven_changes_to_the_store(container):
    # Three uploads, the commit, three copies, the mark, three deletions: a change here changes the price per tile.
    fault = FailsAt(None)
    Attempt("a1").finish(client(container, fault))
    assert [operation for moment, operation, _ in fault.seen if moment == "after"] == [
        *["put"] * 3,
        "create",
        *["copy"] * 3,
        "set_metadata",
        *["delete"] * 3,
    ]
