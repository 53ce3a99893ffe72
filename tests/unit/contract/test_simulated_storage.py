"""What only the simulated storage can show: time that passes, lost answers, many messages, many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import AlreadyExists, Changed, LeaseLost, StorageUnavailable
from contract.tile_queues.simulated import SimulatedQueues


class Clock:
    def __init__(self):
        self.seconds = 1_700_000_000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(clock):
    queue = SimulatedQueues(clock).queue("tiles")
    queue.ensure()
    return queue


def test_a_message_is_visible_again_exactly_when_its_lease_ends(clock, queue):
    queue.send("one")
    (first,) = queue.receive(1, 90)
    clock.seconds += 89.5
    assert queue.receive(1, 90) == []
    clock.seconds += 0.5
    (second,) = queue.receive(1, 90)
    assert second.delivery_count == 2
    with pytest.raises(LeaseLost):
        queue.renew(first, 90)


def test_renewing_counts_from_now_and_not_from_the_old_end(clock, queue):
    queue.send("one")
    (held,) = queue.receive(1, 90)
    clock.seconds += 30
    queue.renew(held, 60)
    clock.seconds += 59
    assert queue.receive(1, 90) == []
    clock.seconds += 1
    assert len(queue.receive(1, 90)) == 1


def test_a_hidden_send_appears_when_its_time_comes(clock, queue):
    queue.send("later", hidden_seconds=10)
    clock.seconds += 10
    assert [held.body for held in queue.receive(32, 90)] == ["later"]


def test_an_expired_lease_that_nobody_took_can_still_be_renewed_and_completed(clock, queue):
    queue.send("one")
    (held,) = queue.receive(1, 90)
    clock.seconds += 1000
    queue.complete(queue.renew(held, 90))
    assert queue.depth() == 0


def test_a_receive_whose_answer_was_lost_hides_and_counts(clock):
    def lose_answers(moment, operation, name):
        if (moment, operation) == ("after", "receive"):
            raise StorageUnavailable("no answer")

    queues = SimulatedQueues(clock)
    unlucky, other = queues.queue("tiles", lose_answers), queues.queue("tiles")
    other.ensure()
    other.send("one")
    with pytest.raises(StorageUnavailable):
        unlucky.receive(1, 90)
    assert other.receive(1, 90) == []
    clock.seconds += 90
    (held,) = other.receive(1, 90)
    assert held.delivery_count == 2


def test_a_request_that_never_arrived_has_no_effect():
    def lose_requests(moment, operation, name):
        if moment == "before":
            raise StorageUnavailable("no connection")

    container = SimulatedContainer()
    with pytest.raises(StorageUnavailable):
        SimulatedBlobStore(container, lose_requests).put("a", b"x")
    assert list(SimulatedBlobStore(container).names("")) == []


def test_a_blob_lease_ends_when_it_is_not_renewed(clock):
    container = SimulatedContainer(clock)
    first, second = SimulatedBlobStore(container), SimulatedBlobStore(container)
    first.put("cursor", b"0")
    lease = first.lease("cursor", 15)
    clock.seconds += 14
    lease.renew()
    clock.seconds += 14
    with pytest.raises(AlreadyExists):
        second.lease("cursor", 15)
    clock.seconds += 1
    second.lease("cursor", 15)
    with pytest.raises(Changed):
        lease.renew()
    with pytest.raises(Changed):
        first.put("cursor", b"late")
    second.put("cursor", b"1")


def test_many_messages_under_many_threads_are_each_given_once(queue):
    queue.send_many([str(n) for n in range(2_000)])

    def drain(_):
        bodies = []
        while held := queue.receive(32, 90):
            for message in held:
                queue.complete(queue.renew(message, 90))
                bodies.append(message.body)
        return bodies

    with ThreadPoolExecutor(4) as pool:
        bodies = [body for part in pool.map(drain, range(4)) for body in part]
    assert sorted(bodies, key=int) == [str(n) for n in range(2_000)]
    assert queue.depth() == 0


def test_of_many_threads_that_create_one_blob_one_wins():
    container = SimulatedContainer()

    def create(n):
        try:
            SimulatedBlobStore(container).create("once", str(n).encode())
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(64))) == 1
