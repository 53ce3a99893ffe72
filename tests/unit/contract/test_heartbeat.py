"""Heartbeats: what a worker says arrives, within the size of a blob's metadata, aged by the store's clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import artifact_names
from contract.blob_limits import checked_metadata
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import BadInput
from contract.heartbeat import (
    Heartbeat,
    HeldTile,
    WorkerState,
    decode_heartbeat,
    encode_heartbeat,
    read_heartbeats,
    write_heartbeat,
)

TILE = HeldTile("tessera-v2-nano-2024-0123abcd", "grid_-4.55_54.15", "infer", 0.25, "2026-01-01T00:00:00Z")
HEARTBEAT = Heartbeat(
    worker="vm1-slot0",
    vm="vm1",
    boot_id="b",
    started="2026-01-01T00:00:00Z",
    state=WorkerState.WORKING,
    tiles=(TILE, replace(TILE, tile="14/8000/5300", stage="download", progress=0.0)),
    held_count=2,
    cpu_percent=87.5,
    memory_bytes=2**33,
    gpu_percent=None,
    prefetched_bytes=12345,
    reason="",
    last_error="HTTP 503 from the source; trying again",
)


class Clock:
    def __init__(self):
        self.seconds = 1_700_000_000.0

    def __call__(self):
        return self.seconds


def test_what_was_written_is_read_with_its_age():
    clock = Clock()
    store = SimulatedBlobStore(SimulatedContainer(clock))
    write_heartbeat(store, HEARTBEAT)
    clock.seconds += 30
    write_heartbeat(store, replace(HEARTBEAT, worker="vm2-slot0", gpu_percent=99.0))
    clock.seconds += 5
    heartbeats = read_heartbeats(store)
    assert [(seen.heartbeat.worker, seen.age_seconds) for seen in heartbeats.seen] == [
        ("vm1-slot0", 35.0),
        ("vm2-slot0", 5.0),
    ]
    assert heartbeats.seen[0].heartbeat == HEARTBEAT
    assert heartbeats.unreadable == {}


def test_the_newest_report_of_a_worker_stands():
    store = SimulatedBlobStore()
    write_heartbeat(store, HEARTBEAT)
    leaving = replace(HEARTBEAT, state=WorkerState.LEAVING, tiles=(), held_count=0, reason="evicted")
    write_heartbeat(store, leaving)
    assert [seen.heartbeat for seen in read_heartbeats(store).seen] == [leaving]


def test_all_workers_are_read_by_one_listing():
    requests = []
    container = SimulatedContainer()
    store = SimulatedBlobStore(
        container, lambda moment, operation, name: requests.append((moment, operation))
    )
    for n in range(5):
        write_heartbeat(store, replace(HEARTBEAT, worker=f"vm{n}"))
    requests.clear()
    assert len(read_heartbeats(store).seen) == 5
    assert requests == [("before", "listing"), ("after", "listing")]


def test_a_heartbeat_stamped_in_the_stores_future_is_fresh():
    clock = Clock()
    store = SimulatedBlobStore(SimulatedContainer(clock))
    write_heartbeat(store, HEARTBEAT)
    clock.seconds -= 3
    assert [seen.age_seconds for seen in read_heartbeats(store).seen] == [0.0]


@given(
    tiles=st.integers(0, 400),
    reason=st.text(max_size=600),
    last_error=st.text(max_size=600),
    progress=st.floats(0, 1),
)
def test_any_heartbeat_fits_into_metadata_and_keeps_its_count(tiles, reason, last_error, progress):
    heartbeat = replace(
        HEARTBEAT,
        tiles=tuple(replace(TILE, progress=progress) for _ in range(tiles)),
        held_count=tiles,
        reason=reason,
        last_error=last_error,
    )
    metadata = encode_heartbeat(heartbeat)
    assert checked_metadata(metadata) == metadata
    decoded = decode_heartbeat(metadata)
    assert decoded.held_count == tiles
    assert decoded.tiles == heartbeat.tiles[: len(decoded.tiles)]
    assert heartbeat.reason.startswith(decoded.reason)
    assert heartbeat.last_error.startswith(decoded.last_error)


def test_few_tiles_are_all_listed():
    heartbeat = replace(HEARTBEAT, tiles=(TILE,) * 20, held_count=20)
    assert decode_heartbeat(encode_heartbeat(heartbeat)) == heartbeat


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"hb0": "nonsense"},
        {"hb0": "[]"},
        {"hb0": '{"v":2}'},
        {"hb0": '{"v":1,"state":"asleep"}'},
        {"hb0": '{"v":1}'},
        {"hb1": "tail"},
    ],
)
def test_what_is_no_heartbeat_is_reported_beside_those_that_are(metadata):
    store = SimulatedBlobStore()
    write_heartbeat(store, HEARTBEAT)
    store.put(artifact_names.heartbeat("strange"), b"", metadata=metadata)
    heartbeats = read_heartbeats(store)
    assert [seen.heartbeat.worker for seen in heartbeats.seen] == ["vm1-slot0"]
    assert list(heartbeats.unreadable) == ["heartbeats/strange"]
    assert heartbeats.unreadable["heartbeats/strange"]


@pytest.mark.parametrize(
    ("field", "value"), [("held_count", "2"), ("cpu_percent", None), ("vm", 7), ("held_count", True)]
)
def test_a_field_of_another_type_is_refused(field, value):
    metadata = encode_heartbeat(replace(HEARTBEAT, **{field: value}))
    with pytest.raises(BadInput, match=field):
        decode_heartbeat(metadata)


def test_a_heartbeat_under_another_workers_name_is_refused():
    store = SimulatedBlobStore()
    store.put(artifact_names.heartbeat("other"), b"", metadata=encode_heartbeat(HEARTBEAT))
    assert "vm1-slot0" in read_heartbeats(store).unreadable["heartbeats/other"]


@pytest.mark.parametrize("worker", ["", "../x", "a/b", "x" * 101, ".hidden", "wörker"])
def test_a_worker_name_that_is_no_file_name_is_refused(worker):
    with pytest.raises(BadInput, match="cannot name a worker"):
        write_heartbeat(SimulatedBlobStore(), replace(HEARTBEAT, worker=worker))
