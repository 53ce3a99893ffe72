"""The ledger's writer and reader: lines land exactly once, readers follow from an offset."""

from __future__ import annotations

import json

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import NotFound, StorageUnavailable
from contract.ledger import READ_BYTES, LedgerReader, LedgerWriter, without_repeats
from contract.ledger_events import DONE, LINE_CUT, LINES_LOST, STAGE_ENDED

STREAM = "vm1-boot1-slot0"


class Unsteady:
    """A fault hook with a list of moments at which the next appends fail; None: they succeed."""

    def __init__(self, *moments):
        self.moments = list(moments)
        self.requests = 0

    def __call__(self, moment, operation, name):
        if operation != "append":
            return
        if moment == "before":
            self.requests += 1
        if self.moments and self.moments[0] == moment:
            self.moments.pop(0)
            raise StorageUnavailable(f"{moment} {operation}")
        if moment == "after" and self.moments:
            self.moments.pop(0)


@pytest.fixture
def container():
    return SimulatedContainer()


@pytest.fixture
def store(container):
    return SimulatedBlobStore(container)


def read_all(store):
    return LedgerReader(store).read_new({})[0]


def flush_until_sent(writer, tries):
    for _ in range(tries):
        try:
            writer.flush()
        except StorageUnavailable:
            continue
        return
    pytest.fail("still not sent")


def test_a_line_has_an_id_a_time_a_name_and_what_it_was_given(store):
    writer = LedgerWriter(store, STREAM, clock=lambda: 1_700_000_000.25, bound={"worker": "w1"})
    writer.write(STAGE_ENDED, stage="infer", seconds=1.5)
    writer.flush()
    (event,) = read_all(store)
    assert event.pop("id")
    assert event == {
        "time": "2023-11-14T22:13:20.250Z",
        "name": "stage_ended",
        "worker": "w1",
        "stage": "infer",
        "seconds": 1.5,
    }


def test_nothing_is_sent_before_a_flush_and_nothing_by_an_empty_one(container):
    fault = Unsteady()
    writer = LedgerWriter(SimulatedBlobStore(container, fault), STREAM)
    writer.flush()
    writer.write(DONE)
    assert fault.requests == 0
    writer.flush()
    writer.flush()
    assert fault.requests == 1


@pytest.mark.parametrize(
    "moments", [("before",), ("after",), ("after", "before", "after"), ("before", "after")]
)
@pytest.mark.parametrize("lines_before", [0, 3])
def test_every_line_lands_exactly_once_whatever_answers_are_lost(container, store, moments, lines_before):
    writer = LedgerWriter(
        SimulatedBlobStore(container, Unsteady(*[None] * bool(lines_before), *moments)), STREAM
    )
    written = list(range(lines_before))
    for n in written:
        writer.write(DONE, n=n)
    writer.flush()
    failures = 0
    while failures < len([moment for moment in moments if moment]):
        written.append(f"after {failures} failures")
        writer.write(DONE, n=written[-1])
        try:
            writer.flush()
        except StorageUnavailable:
            failures += 1
    writer.write(DONE, n="last")
    writer.flush()
    assert [event["n"] for event in read_all(store)] == [*written, "last"]


def test_a_new_blob_is_begun_after_so_many_blocks(store):
    writer = LedgerWriter(store, STREAM, max_blocks=3)
    for n in range(7):
        writer.write(DONE, n=n)
        writer.flush()
    assert [info.name for info in store.listing("")] == [
        artifact_names.ledger_stream(STREAM, n) for n in range(3)
    ]
    assert [event["n"] for event in read_all(store)] == list(range(7))


def test_a_second_run_of_a_stream_leaves_the_first_ones_lines_alone(store):
    for run in ("first", "second", "third"):
        writer = LedgerWriter(store, STREAM)
        for n in range(2):
            writer.write(DONE, run=run, n=n)
            writer.flush()
    assert [(event["run"], event["n"]) for event in read_all(store)] == [
        (run, n) for run in ("first", "second", "third") for n in range(2)
    ]


def test_a_blob_that_was_deleted_under_the_writer_is_followed_by_a_new_one(store):
    writer = LedgerWriter(store, STREAM)
    writer.write(DONE, n=0)
    writer.flush()
    store.delete(artifact_names.ledger_stream(STREAM, 0))
    writer.write(DONE, n=1)
    writer.flush()
    assert [event["n"] for event in read_all(store)] == [1]


def test_a_missing_container_is_reported_and_not_hunted_for(container):
    def no_container(moment, operation, name):
        raise NotFound("404 ContainerNotFound")

    writer = LedgerWriter(SimulatedBlobStore(container, no_container), STREAM)
    writer.write(DONE)
    with pytest.raises(NotFound):
        writer.flush()


def test_the_buffer_is_bounded_and_says_how_much_it_lost(container, store):
    fault = Unsteady(*["before"] * 1)
    writer = LedgerWriter(SimulatedBlobStore(container, fault), STREAM, max_buffer_bytes=2_000)
    for n in range(100):
        writer.write(DONE, n=n)
    flush_until_sent(writer, tries=2)
    events = read_all(store)
    kept = [event["n"] for event in events if event["name"] == DONE]
    assert kept == list(range(100 - len(kept), 100))
    assert 5 < len(kept) < 40
    assert sum(event["count"] for event in events if event["name"] == LINES_LOST) == 100 - len(kept)


def test_more_lines_than_one_append_takes_are_sent_in_several(store):
    writer = LedgerWriter(store, STREAM)
    for n in range(50):
        writer.write(DONE, n=n, text="x" * 200_000)
    writer.flush()
    assert store.info(artifact_names.ledger_stream(STREAM, 0)).length > 8 * 1024 * 1024
    assert [event["n"] for event in LedgerReader(store).read_new({})[0]] == list(range(50))


def test_a_line_longer_than_a_line_may_be_is_cut_to_its_name(store):
    writer = LedgerWriter(store, STREAM)
    writer.write(DONE, text="x" * 300_000)
    writer.flush()
    (event,) = read_all(store)
    assert (event["name"], event["was"]) == (LINE_CUT, DONE)


def test_a_reader_goes_on_where_it_was_and_finds_new_streams(store):
    first, second = LedgerWriter(store, "a"), LedgerWriter(store, "b")
    reader = LedgerReader(store)
    first.write(DONE, n=0)
    first.flush()
    events, positions = reader.read_new({})
    assert [event["n"] for event in events] == [0]
    assert reader.read_new(positions) == ([], positions)
    first.write(DONE, n=1)
    first.flush()
    second.write(DONE, n=2)
    second.flush()
    events, _ = reader.read_new(json.loads(json.dumps(positions)))
    assert [event["n"] for event in events] == [1, 2]


def test_a_torn_last_line_is_left_for_the_next_time(store):
    name = artifact_names.ledger_stream(STREAM, 0)
    whole = b'{"id":"1","name":"done","time":"t"}\n'
    length = store.append(name, whole + b'{"id":"2",', at=0)
    reader = LedgerReader(store)
    events, positions = reader.read_new({})
    assert [event["id"] for event in events] == ["1"]
    store.append(name, b'"name":"done","time":"t"}\n', at=length)
    events, _ = reader.read_new(positions)
    assert [event["id"] for event in events] == ["2"]
    assert reader.malformed_lines == 0


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"[1]", b'{"id":1,"name":"n","time":"t"}', b"\xff\xfe", b"[" * 9999]
)
def test_malformed_lines_are_counted_and_skipped(store, line):
    good = b'{"id":"1","name":"done","time":"t"}\n'
    store.append(artifact_names.ledger_stream(STREAM, 0), good + line + b"\n" + good, at=0)
    reader = LedgerReader(store)
    events, _ = reader.read_new({})
    assert len(events) == 2
    assert reader.malformed_lines == 1


def test_a_blob_without_any_line_end_does_not_stop_the_reader(store):
    name = artifact_names.ledger_stream(STREAM, 0)
    length = store.append(name, b"x" * READ_BYTES, at=0)
    store.append(name, b'\n{"id":"1","name":"done","time":"t"}\n', at=length)
    reader = LedgerReader(store)
    events, _ = reader.read_new({})
    assert [event["id"] for event in events] == ["1"]
    assert reader.malformed_lines > 0


def test_one_read_brings_a_bounded_amount_and_the_next_ones_the_rest(store):
    writer = LedgerWriter(store, STREAM)
    for n in range(60):
        writer.write(DONE, n=n, text="x" * 200_000)
    writer.flush()
    reader, positions, seen, reads = LedgerReader(store, max_bytes=READ_BYTES), {}, [], 0
    while True:
        events, positions = reader.read_new(positions)
        if not events:
            break
        reads += 1
        seen += [event["n"] for event in events]
    assert seen == list(range(60))
    assert reads >= 3


def test_repeated_ids_are_dropped():
    events = [{"id": "1"}, {"id": "2"}, {"id": "1"}]
    seen = set()
    assert list(without_repeats(events, seen)) == events[:2]
    assert list(without_repeats(events, seen)) == []
