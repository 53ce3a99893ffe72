"""Every promise of BlobStore about appending and leasing, kept by every implementation."""

from __future__ import annotations

import pytest

from contract.errors import AlreadyExists, Changed, NotFound, StorageError


def test_appends_follow_each_other_and_give_the_new_length(store):
    assert store.append("log", b"one\n", at=0) == 4
    assert store.append("log", b"two\n", at=4) == 8
    assert store.read("log").data == b"one\ntwo\n"
    assert store.info("log").length == 8


def test_an_append_at_another_length_changes_nothing(store):
    store.append("log", b"one\n", at=0)
    for at in (0, 3, 5):
        with pytest.raises(Changed):
            store.append("log", b"two\n", at=at)
    assert store.read("log").data == b"one\n"


def test_a_repeated_append_that_landed_says_so(store):
    store.append("log", b"one\n", at=0)
    store.append("log", b"two\n", at=4)
    with pytest.raises(Changed):
        store.append("log", b"two\n", at=4)
    assert store.read("log").data == b"one\ntwo\n"


def test_two_writers_of_one_blob_never_overwrite_each_other(stores):
    first, second = stores
    first.append("log", b"one\n", at=0)
    with pytest.raises(Changed):
        second.append("log", b"other\n", at=0)
    second.append("log", b"two\n", at=4)
    with pytest.raises(Changed):
        first.append("log", b"late\n", at=4)
    assert first.read("log").data == b"one\ntwo\n"


def test_appending_after_the_blob_was_deleted_is_not_found(store):
    store.append("log", b"one\n", at=0)
    store.delete("log")
    with pytest.raises(NotFound):
        store.append("log", b"two\n", at=4)


def test_appending_to_an_ordinary_blob_is_an_error(store):
    store.put("plain", b"")
    with pytest.raises(StorageError):
        store.append("plain", b"x", at=0)
    assert store.read("plain").data == b""


@pytest.mark.parametrize("length", [0, 4 * 1024 * 1024 + 1])
def test_an_append_outside_its_limits_is_refused(store, length):
    with pytest.raises(ValueError, match="bytes"):
        store.append("log", bytes(length), at=0)
    assert list(store.names("")) == []


def test_an_append_of_4_mib_fits(store):
    assert store.append("log", bytes(4 * 1024 * 1024), at=0) == 4 * 1024 * 1024


def test_a_lease_has_one_holder(stores):
    first, second = stores
    first.put("a", b"")
    lease = first.lease("a", 60)
    for store in stores:
        with pytest.raises(AlreadyExists):
            store.lease("a", 60)
    lease.release()
    second.lease("a", 15).release()


def test_the_holder_renews(stores):
    first, second = stores
    first.put("a", b"")
    lease = first.lease("a", 15)
    lease.renew()
    with pytest.raises(AlreadyExists):
        second.lease("a", 15)
    lease.release()


def test_a_lease_that_was_given_back_cannot_be_renewed(stores):
    first, second = stores
    first.put("a", b"")
    lease = first.lease("a", 15)
    lease.release()
    with pytest.raises(Changed):
        lease.renew()
    other = second.lease("a", 15)
    with pytest.raises(Changed):
        lease.renew()
    other.release()


def test_releasing_twice_or_after_loss_does_nothing(stores):
    first, second = stores
    first.put("a", b"")
    lease = first.lease("a", 15)
    lease.release()
    lease.release()
    other = second.lease("a", 15)
    lease.release()
    other.renew()
    other.release()


def test_releasing_the_lease_of_a_deleted_blob_does_nothing(store):
    store.put("a", b"")
    lease = store.lease("a", 15)
    store.delete("a")
    lease.release()


def test_the_holder_writes_and_others_cannot(stores, tmp_path):
    holder, other = stores
    old = holder.put("a", b"one")
    other.put("b", b"other")
    (tmp_path / "f").write_bytes(b"file")
    lease = holder.lease("a", 60)
    attempts = [
        lambda: other.put("a", b"x"),
        lambda: other.replace("a", b"x", if_etag=old.etag),
        lambda: other.set_metadata("a", {"k": "v"}, if_etag=old.etag),
        lambda: other.upload("a", tmp_path / "f"),
        lambda: other.copy("b", "a"),
        lambda: other.delete("a"),
    ]
    for attempt in attempts:
        with pytest.raises(Changed):
            attempt()
    with pytest.raises(AlreadyExists):
        other.create("a", b"x")
    assert other.read("a").data == b"one"
    assert holder.put("a", b"two").length == 3
    assert other.copy("a", "c").length == 3
    lease.release()
    other.put("a", b"three")


def test_whoever_wrote_under_a_lease_writes_on_after_giving_it_back(store):
    store.put("a", b"one")
    store.lease("a", 15).release()
    store.put("a", b"two")
    assert store.read("a").data == b"two"


@pytest.mark.parametrize("seconds", [14, 61, -1])
def test_a_lease_of_another_length_is_refused(store, seconds):
    store.put("a", b"")
    with pytest.raises(ValueError, match="15 to 60"):
        store.lease("a", seconds)
