"""Every promise of BlobStore about reading, writing and listing, kept by every implementation."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta

import pytest

from contract.blob_limits import NO_BLOB
from contract.errors import AlreadyExists, Changed, NotFound

BLOCKS = 8 * 1024 * 1024 + 5  # one byte count that makes the adapter upload more than one block


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).digest()


def test_what_was_put_is_read_with_its_length_md5_and_metadata(store):
    written = store.put("a/b", b"hello", metadata={"published": "2026-01-01T00:00:00Z", "n": "1"})
    blob = store.read("a/b")
    assert blob.data == b"hello"
    assert blob.info == written == store.info("a/b")
    assert (written.name, written.length, written.md5) == ("a/b", 5, md5(b"hello"))
    assert written.metadata == {"published": "2026-01-01T00:00:00Z", "n": "1"}


def test_an_empty_blob_is_a_blob(store):
    store.put("empty", b"")
    assert store.read("empty").data == b""
    assert store.read_from("empty", 0) == b""


def test_put_writes_over_whatever_was_there_and_changes_the_etag(store):
    first = store.put("a", b"one", metadata={"k": "v"})
    second = store.put("a", b"two")
    assert store.read("a").data == b"two"
    assert store.info("a").metadata == {}
    assert first.etag != second.etag


def test_create_is_won_once(stores):
    first, second = stores
    first.create("once", b"mine", metadata={"k": "v"})
    with pytest.raises(AlreadyExists, match="once"):
        second.create("once", b"theirs")
    assert second.read("once").data == b"mine"
    assert second.info("once").metadata == {"k": "v"}


def test_replace_writes_only_over_what_was_read(store):
    old = store.put("a", b"one")
    new = store.replace("a", b"two", if_etag=old.etag, metadata={"k": "v"})
    assert store.info("a") == new
    with pytest.raises(Changed):
        store.replace("a", b"three", if_etag=old.etag)
    assert store.read("a").data == b"two"


def test_a_replace_that_is_repeated_finds_its_own_bytes_and_metadata(stores):
    store, other = stores
    old = store.put("a", b"one")
    new = store.replace("a", b"two", if_etag=old.etag, metadata={"k": "v"})
    assert store.replace("a", b"two", if_etag=old.etag, metadata={"k": "v"}) == new
    with pytest.raises(Changed):
        other.replace("a", b"two", if_etag=old.etag, metadata={"k": "w"})
    assert store.info("a") == new


def test_replacing_what_is_gone_is_not_found(store):
    old = store.put("a", b"one")
    store.delete("a")
    with pytest.raises(NotFound):
        store.replace("a", b"two", if_etag=old.etag)
    with pytest.raises(NotFound):
        store.info("a")


def test_set_metadata_replaces_all_of_it_and_keeps_the_bytes(store):
    old = store.put("a", b"one", metadata={"first": "1", "second": "2"})
    new = store.set_metadata("a", {"second": "3"}, if_etag=old.etag)
    assert new.metadata == {"second": "3"}
    assert new.etag != old.etag
    assert store.read("a").data == b"one"
    assert store.info("a") == new


def test_set_metadata_needs_the_current_etag_and_an_existing_blob(store):
    old = store.put("a", b"one")
    store.put("a", b"two")
    with pytest.raises(Changed):
        store.set_metadata("a", {"k": "v"}, if_etag=old.etag)
    with pytest.raises(NotFound):
        store.set_metadata("missing", {"k": "v"}, if_etag=old.etag)
    assert store.info("a").metadata == {}


@pytest.mark.parametrize(
    "metadata",
    [{"Upper": "x"}, {"a-b": "x"}, {"k": "é"}, {"k": " x"}, {"k": ""}, {"k": "a\nb"}, {"k": "x" * 8192}],
)
def test_metadata_that_would_come_back_changed_is_refused(store, metadata):
    with pytest.raises(ValueError, match="metadata"):
        store.put("a", b"", metadata=metadata)


@pytest.mark.parametrize("value", ["two words", '{"a":[1,2.5]}', "~!@#$%^&*()=+;:',./<>?`|\\"])
def test_metadata_values_of_plain_ascii_come_back_as_they_went(store, value):
    store.put("a", b"", metadata={"k": value})
    assert store.info("a").metadata == {"k": value}
    assert [info.metadata for info in store.listing("a", with_metadata=True)] == [{"k": value}]


def test_reading_what_is_longer_than_expected_is_refused(store):
    store.put("a", b"123456")
    assert store.read("a", max_bytes=6).data == b"123456"
    with pytest.raises(ValueError, match="6 bytes"):
        store.read("a", max_bytes=5)


def test_reading_on_from_an_offset_ends_with_nothing(store):
    store.put("a", b"123456")
    assert store.read_from("a", 2, max_bytes=3) == b"345"
    assert store.read_from("a", 4) == b"56"
    assert store.read_from("a", 6) == b""
    assert store.read_from("a", 99) == b""


def test_what_is_missing_is_not_found(store, tmp_path):
    attempts = [
        lambda: store.read("missing"),
        lambda: store.read_from("missing", 0),
        lambda: store.info("missing"),
        lambda: store.download("missing", tmp_path / "x"),
        lambda: store.copy("missing", "target"),
        lambda: store.lease("missing", 15),
        lambda: store.append("missing", b"x", at=4),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound, match="missing"):
            attempt()
    assert list(store.names("")) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [0, 1000, BLOCKS])
def test_a_file_goes_up_and_down_unchanged_with_its_md5(store, tmp_path, length):
    data = random.Random(length).randbytes(length)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    target.write_bytes(b"old")
    uploaded = store.upload("a", source)
    downloaded = store.download("a", target)
    assert target.read_bytes() == data
    assert (uploaded.length, uploaded.md5) == (length, md5(data))
    assert downloaded == uploaded == store.info("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_uploading_writes_over_whatever_was_there(store, tmp_path):
    store.put("a", b"a longer text than the next one")
    (tmp_path / "f").write_bytes(b"short")
    store.upload("a", tmp_path / "f")
    assert store.read("a").data == b"short"


def test_a_copy_has_the_sources_bytes_and_md5_over_whatever_was_there(store):
    store.put("source", b"new")
    store.put("target", b"a longer old one")
    copied = store.copy("source", "target")
    assert (copied.name, copied.length, copied.md5) == ("target", 3, md5(b"new"))
    assert store.read("target").data == b"new"
    assert store.read("source").data == b"new"


def test_what_a_file_was_uploaded_with_is_on_every_copy_of_it(store, tmp_path):
    (tmp_path / "f").write_bytes(b"bytes")
    uploaded = store.upload("source", tmp_path / "f", metadata={"tile": "grid_0.05_0.05", "generation": "2"})
    assert uploaded.metadata == {"tile": "grid_0.05_0.05", "generation": "2"}
    store.put("there", b"older", metadata={"tile": "another"})
    for target in ("new", "there"):
        assert store.copy("source", target).metadata == uploaded.metadata
    listed = {info.name: info.metadata for info in store.listing("", with_metadata=True)}
    assert listed == dict.fromkeys(("new", "source", "there"), uploaded.metadata)


def test_a_conditional_copy_lands_only_on_what_was_seen(store):
    store.put("source", b"new")
    store.copy("source", "target", if_target_etag=NO_BLOB)
    seen = store.info("target")
    for condition in (NO_BLOB, '"0xNOT"'):
        with pytest.raises(Changed):
            store.copy("source", "target", if_target_etag=condition)
    assert store.info("target") == seen
    store.copy("source", "target", if_target_etag=seen.etag)
    store.delete("target")
    with pytest.raises(Changed):
        store.copy("source", "target", if_target_etag=seen.etag)
    assert list(store.names("target")) == []


def test_copying_a_file_of_several_blocks_keeps_its_md5(store, tmp_path):
    data = random.Random(7).randbytes(BLOCKS)
    (tmp_path / "f").write_bytes(data)
    store.upload("source", tmp_path / "f")
    copied = store.copy("source", "target")
    assert (copied.length, copied.md5) == (BLOCKS, md5(data))


def test_delete_says_whether_there_was_something(store):
    store.put("a", b"")
    assert store.delete("a") is True
    assert store.delete("a") is False


def test_a_listing_is_in_lexical_order_and_below_its_prefix(store):
    names = ["b/2", "b/10", "a", "b/1", "b-", "b/1.revoked", "bb", "c/x"]
    for name in names:
        store.put(name, b"12", metadata={"k": "v"})
    assert list(store.names("b/")) == ["b/1", "b/1.revoked", "b/10", "b/2"]
    assert [info.name for info in store.listing("")] == sorted(names)
    assert list(store.listing("nothing/")) == []
    infos = list(store.listing("b/", with_metadata=True))
    assert infos == [store.info(info.name) for info in infos]
    assert all(info.metadata == {} for info in store.listing("b/"))


def test_an_etag_from_a_listing_can_be_used(store):
    store.put("a", b"one")
    (listed,) = store.listing("a")
    store.replace("a", b"two", if_etag=listed.etag)
    assert store.read("a").data == b"two"


def test_now_is_a_clock_close_to_ours_and_not_behind_what_it_wrote(store):
    now = store.now()
    assert now.tzinfo is not None
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=60)
    written = store.put("a", b"")
    assert written.modified.utcoffset() == timedelta(0)
    assert written.modified <= store.now() + timedelta(seconds=1)
