"""The asked list onto the queue: nothing skipped, little repeated, one producer."""

from __future__ import annotations

from collections import Counter

import pytest

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput, StorageUnavailable
from contract.job_store import PRODUCER_LEASE_SECONDS, lease_for_producing, read_cursor
from contract.simulated_faults import Moment
from producer.done import Standings
from producer.enqueue import enqueue_job, store_records
from producer.send import BATCH_TILES, EndedEarly, send_rest, sole_producer
from tests.producer_rig import NOW, Quiet, Rig, names, plan

COUNT = 3 * BATCH_TILES + 7


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Dies:
    """The program ends, or the storage does, at the nth call of one operation."""

    def __init__(self, moment: Moment, operation: str, suffix: str, nth: int) -> None:
        self._when, self._left = (moment, operation, suffix), nth

    def __call__(self, moment: Moment, operation: str, name: str) -> None:
        when, what, suffix = self._when
        if (moment, operation) == (when, what) and name.endswith(suffix):
            self._left -= 1
            if self._left == 0:
                raise StorageUnavailable(f"{moment} {operation} {name}")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "suffix", "nth"),
    [
        ("create", "dataset.json", 1),
        ("create", "asked.txt", 1),
        ("create", "job.json", 1),
        ("create", "state.json", 1),
        ("create", "cursor.json", 1),
        ("lease", "cursor.json", 1),
        ("put", "cursor.json", 1),
        ("put", "cursor.json", 3),
        ("send", "tiles", 1),
        ("send", "tiles", BATCH_TILES + 40),
    ],
)
def test_an_enqueue_that_ends_anywhere_goes_on_without_skipping(moment, operation, suffix, nth):
    clock = Clock()
    rig, asked = Rig(clock), plan(COUNT)
    fault = Dies(moment, operation, suffix, nth)
    with pytest.raises(StorageUnavailable):
        enqueue_job(rig.client(fault), asked, now=NOW, watcher=Quiet())
    clock.sleep(PRODUCER_LEASE_SECONDS + 1)

    outcome = enqueue_job(rig.client(), asked, now="later", watcher=Quiet())

    sent = Counter(names(rig.messages()))
    assert set(sent) == set(asked.asked.decode().split())
    assert sum(sent.values()) - COUNT <= BATCH_TILES
    assert outcome.queued + outcome.new == COUNT


def test_the_cursor_is_written_after_the_answers_of_its_batch():
    clock = Clock()
    rig, asked = Rig(clock), plan(COUNT)
    depths: list[tuple[int, int]] = []

    def note(moment: Moment, operation: str, name: str) -> None:
        if (moment, operation) == ("after", "put"):
            depths.append(
                (read_cursor(rig.client().store, asked.job.id).position, rig.client().queues.tiles.depth())
            )

    enqueue_job(rig.client(note), asked, now=NOW, watcher=Quiet())
    assert [position for position, _ in depths] == [512, 1024, 1536, COUNT]
    assert all(depth == position for position, depth in depths)


def test_a_second_producer_waits_one_lease_and_then_gives_up_in_a_sentence():
    clock = Clock()
    rig, job = Rig(clock), plan().job
    held = lease_for_producing(rig.client().store, job.id)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        held.renew()

    watcher = Quiet()
    refused = pytest.raises(BadInput, match=f"another producer is enqueueing job {job.id}")
    with refused, sole_producer(rig.client().store, job, on_wait=watcher.say, sleep=sleep):
        pass
    assert len(watcher.sentences) == 1


def test_the_lease_of_a_dead_producer_is_waited_for():
    clock = Clock()
    rig, job = Rig(clock), plan().job
    lease_for_producing(rig.client().store, job.id)
    began = clock()
    with sole_producer(rig.client().store, job, on_wait=Quiet().say, sleep=clock.sleep):
        assert clock() - began <= PRODUCER_LEASE_SECONDS + 2


def test_a_finished_producer_leaves_no_lease():
    clock = Clock()
    rig, job = Rig(clock), plan().job
    for _ in range(2):
        watcher = Quiet()
        with sole_producer(rig.client().store, job, on_wait=watcher.say, sleep=clock.sleep):
            pass
        assert watcher.sentences == []


def test_a_producer_that_was_overtaken_stops_and_leaves_the_cursor_alone():
    clock = Clock()
    rig, asked = Rig(clock), plan(COUNT)
    first, second = rig.client(), rig.client()
    job = store_records(first.store, asked, now=NOW)
    lease = lease_for_producing(first.store, job.id)
    clock.sleep(PRODUCER_LEASE_SECONDS + 1)
    lease_for_producing(second.store, job.id)

    with pytest.raises(EndedEarly, match="took job"):
        send_rest(
            first.store,
            first.queues.tiles,
            job,
            asked=asked.asked,
            standings=Standings(),
            lease=lease,
            start=0,
            end=COUNT,
            report=lambda _position, _new: None,
        )
    assert read_cursor(second.store, job.id).position == 0


def test_batches_that_outlast_the_lease_go_on_while_nobody_else_takes_it():
    clock = Clock()
    rig, asked = Rig(clock), plan(COUNT)

    def slow(moment: Moment, operation: str, _name: str) -> None:
        if (moment, operation) == ("before", "send"):
            clock.sleep(20 / BATCH_TILES)

    client = rig.client(slow)
    job = store_records(client.store, asked, now=NOW)
    with sole_producer(client.store, job, on_wait=Quiet().say, sleep=clock.sleep) as lease:
        _send_all(client.store, client, job, asked, lease, clock)
    assert read_cursor(client.store, job.id).position == COUNT
    assert clock.seconds - 1_000_000 > 2 * PRODUCER_LEASE_SECONDS


def _send_all(store: BlobStore, client, job, asked, lease, clock) -> None:
    send_rest(
        store,
        client.queues.tiles,
        job,
        asked=asked.asked,
        standings=Standings(),
        lease=lease,
        start=0,
        end=COUNT,
        report=lambda _position, _new: None,
        clock=clock,
    )


def test_records_are_written_in_an_order_in_which_each_names_what_is_there():
    rig, asked = Rig(Clock()), plan()
    written: list[str] = []

    def note(moment: Moment, operation: str, name: str) -> None:
        if moment == "after" and operation in {"create", "put", "send"}:
            written.append(name)

    enqueue_job(rig.client(note), asked, now=NOW, watcher=Quiet())
    job = asked.job.id
    assert written[:5] == [
        artifact_names.dataset_record(asked.dataset.name),
        artifact_names.job_asked(job),
        artifact_names.job_record(job),
        artifact_names.job_state(job),
        artifact_names.job_cursor(job),
    ]
    assert set(written[5:-1]) == {"toy-tiles"}
    assert written[-1] == artifact_names.job_cursor(job)
