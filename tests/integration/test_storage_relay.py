"""The storage's bad days as the real SDK adapters meet them, through the relay, in front of a real Azurite."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread

import psutil
import pytest

from contract.azure_clients import EMULATOR_ACCOUNT_KEY, AzureClients, StorageEndpoints
from contract.blob_limits import NO_BLOB
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import AlreadyExists, Changed, LeaseLost, StorageUnavailable
from contract.tile_queues.azure import AzureTileQueue
from laptop_cloud import azurite as emulator
from laptop_cloud import relay_control
from laptop_cloud.storage_faults import StorageFaults
from tests.integration.test_azurite_process import HOME

pytestmark = pytest.mark.slow

ALWAYS = 100.0
LOST_ONCE = StorageFaults(cut_after_percent=ALWAYS, most=1)
BIG_BYTES = 64 * 1024**2


@pytest.fixture(scope="module")
def relay(azurite, tmp_path_factory):
    with relay_control.running(azurite, tmp_path_factory.mktemp("relay") / "relay.log") as running:
        yield running


@pytest.fixture
def name(relay):
    """Of a container and a queue that nobody else has; the day is good again afterwards."""
    relay.behave()
    yield f"r{uuid.uuid4().hex[:10]}"
    relay.behave()


def clients_of(endpoints, name):
    return AzureClients(StorageEndpoints(endpoints.queue_url, endpoints.blob_url, name, EMULATOR_ACCOUNT_KEY))


@pytest.fixture
def store(relay, name):
    made = AzureBlobStore(clients_of(relay.endpoints, name))
    made.ensure()
    relay.forget_counts()
    return made


@pytest.fixture
def direct(azurite, name):
    return AzureBlobStore(clients_of(azurite, name))


def test_what_is_sent_through_the_relay_arrives_and_is_counted_by_kind(relay, store, direct, name):
    queue = AzureTileQueue(clients_of(relay.endpoints, name), f"{name}-tiles")
    queue.ensure()
    store.create("jobs/a", b"asked")
    queue.send("one")
    assert direct.read("jobs/a").data == b"asked"
    (message,) = queue.receive(8, 30)
    queue.complete(message)
    assert relay.count("^put blob jobs$") == 1
    assert relay.count("message") == 3
    assert list(store.names("jobs/")) == ["jobs/a"]


@pytest.mark.parametrize("share", ["busy_percent", "timed_out_percent", "cut_before_percent"])
def test_a_storage_that_refuses_for_long_is_unavailable_and_has_done_nothing(relay, store, direct, share):
    relay.misbehave(replace(StorageFaults(), **{share: ALWAYS, "only": "^put blob jobs"}))
    with pytest.raises(StorageUnavailable):
        store.create("jobs/a", b"asked")
    assert list(direct.names("jobs/")) == []


def test_one_refusal_is_outlived_by_the_adapters_own_retry(relay, store):
    relay.misbehave(StorageFaults(busy_percent=ALWAYS, most=1, only="^put blob jobs"))
    store.create("jobs/a", b"asked")
    assert relay.counts()["put blob jobs"] == {"busy": 1, "passed": 1}


def test_a_lost_answer_leaves_the_effect_which_the_repeat_then_meets(relay, store, direct):
    relay.misbehave(StorageFaults(cut_after_percent=ALWAYS, most=1, only="^put blob jobs"))
    with pytest.raises(AlreadyExists):
        store.create("jobs/a", b"asked")
    assert direct.read("jobs/a").data == b"asked"


def test_a_conditional_write_whose_answer_was_lost_is_done_or_says_that_the_blob_changed(
    relay, store, tmp_path
):
    (tmp_path / "a").write_bytes(b"artifact")
    old = store.put("jobs/a", b"one")
    store.append("ledger/a", b"1", at=0)
    uploaded = store.upload("staging/a", tmp_path / "a")
    relay.misbehave(LOST_ONCE)
    assert store.replace("jobs/a", b"two", if_etag=old.etag, metadata={"k": "v"}) == store.info("jobs/a")
    for kind, write in {
        "metadata": lambda: store.set_metadata("jobs/a", {"k": "w"}, if_etag=store.info("jobs/a").etag),
        "append": lambda: store.append("ledger/a", b"2", at=1),
        "copy": lambda: store.copy("staging/a", "datasets/a", if_target_etag=NO_BLOB),
    }.items():
        relay.misbehave(replace(LOST_ONCE, only=kind))
        with pytest.raises(Changed):
            write()
    assert store.info("jobs/a").metadata == {"k": "w"}
    assert store.read_from("ledger/a", 0) == b"12"
    assert store.info("datasets/a").md5 == uploaded.md5


def test_a_lease_or_a_deletion_whose_answer_was_lost_is_ours(relay, store):
    store.put("jobs/a", b"one")
    relay.misbehave(replace(LOST_ONCE, only="put lease"))
    lease = store.lease("jobs/a", 15)
    lease.renew()
    store.put("jobs/a", b"two")
    lease.release()
    relay.misbehave(replace(LOST_ONCE, only="delete"))
    assert store.delete("jobs/a") is False  # by now there is none
    assert list(store.names("jobs/")) == []


def test_a_message_is_no_longer_ours_when_the_answer_to_its_change_was_lost(relay, name):
    queue = AzureTileQueue(clients_of(relay.endpoints, name), f"{name}-tiles")
    queue.ensure()
    queue.send("one")
    (held,) = queue.receive(1, 30)
    relay.misbehave(replace(LOST_ONCE, only="update message"))
    with pytest.raises(LeaseLost, match="the answer to us was lost"):
        queue.renew(held, 0, body="two")
    (again,) = queue.receive(1, 30)
    assert again.body == "two"
    relay.misbehave(replace(LOST_ONCE, only="delete message"))
    with pytest.raises(LeaseLost):
        queue.complete(again)
    assert queue.depth() == 0


def test_latency_is_added_to_the_chosen_requests_alone(relay, store):
    relay.misbehave(StorageFaults(latency_ms=500, only="^put blob jobs"))
    began = time.monotonic()
    store.create("jobs/a", b"asked")
    assert time.monotonic() - began >= 0.5
    assert store.read("jobs/a").data == b"asked"


def test_a_stalled_request_is_seen_in_the_counts_before_anybody_gives_up(relay, store, direct):
    relay.misbehave(StorageFaults(stalled_after_percent=ALWAYS, most=1, only="^put blob jobs"))
    writer = Thread(target=lambda: _ignoring_errors(store), daemon=True)
    writer.start()
    deadline = time.monotonic() + 20
    while not relay.counts().get("put blob jobs") or not list(direct.names("jobs/")):
        assert time.monotonic() < deadline
    assert relay.counts()["put blob jobs"] == {"stalled after": 1}
    assert writer.is_alive()


def _ignoring_errors(store):
    try:
        store.create("jobs/a", b"asked")
    except (AlreadyExists, StorageUnavailable):
        return


def test_a_shifted_clock_is_the_storages_clock_to_whoever_reads_it(relay, store):
    relay.misbehave(StorageFaults(clock_shift_seconds=3600))
    store.create("jobs/a", b"asked")
    ahead_seconds = (store.now() - datetime.now(UTC)).total_seconds()
    assert 3590 < ahead_seconds < 3610


def test_a_bad_day_ends_by_itself(relay, store):
    relay.misbehave(StorageFaults(busy_percent=ALWAYS), seconds=0)
    store.create("jobs/a", b"asked")
    assert relay.counts()["put blob jobs"] == {"passed": 1}


def test_a_large_upload_and_copy_pass_through_in_little_memory(relay, store, tmp_path):
    (process,) = [
        child
        for child in psutil.process_iter(["ppid", "cmdline"])
        if child.info["ppid"] == os.getpid() and "laptop_cloud.storage_relay" in (child.info["cmdline"] or ())
    ]
    before = process.memory_info().rss
    source = tmp_path / "big"
    source.write_bytes(bytes(BIG_BYTES))
    store.upload("staging/big", source)
    assert store.info("staging/big").length == BIG_BYTES
    store.copy("staging/big", "datasets/toy/big")
    assert store.info("datasets/toy/big").length == BIG_BYTES
    assert process.memory_info().rss - before < BIG_BYTES // 4


def test_an_emulator_restarts_on_the_same_data_and_ports(tmp_path):
    with emulator.restartable(emulator.install(HOME), tmp_path / "data") as (running, endpoints):
        store = AzureBlobStore(clients_of(endpoints, "tests"))
        store.ensure()
        store.create("jobs/a", b"asked")
        assert running.restart() == endpoints
        assert store.read("jobs/a").data == b"asked"
