"""Every promise of TileQueue, kept by every implementation."""

from __future__ import annotations

import string

import pytest

from contract.errors import LeaseLost, NotFound

LONG = 300


def test_a_body_comes_back_as_it_was_sent(queue):
    body = string.printable[:95] + ' <tag attr="\'"> & é 東 \U0001f30d \t\n x'
    queue.send(body)
    assert [message.body for message in queue.receive(32, LONG)] == [body]


def test_a_received_message_knows_its_queue_and_its_first_delivery(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    assert (held.queue_name, held.delivery_count) == (queue.name, 1)


def test_making_a_queue_twice_keeps_its_messages(queue):
    queue.send("one")
    queue.ensure()
    assert queue.depth() == 1


def test_a_queue_that_was_never_made_is_not_found(queues):
    missing = queues.make("port-never-made")
    for attempt in (missing.depth, lambda: missing.send("x"), lambda: missing.receive(1, LONG)):
        with pytest.raises(NotFound, match="port-never-made"):
            attempt()


def test_an_empty_queue_gives_an_empty_list(queue):
    assert queue.receive(32, LONG) == []


def test_a_message_is_given_to_one_receiver_only(queue):
    queue.send("one")
    assert len(queue.receive(1, LONG)) == 1
    assert queue.receive(32, LONG) == []


def test_receive_gives_no_more_than_was_asked_for(queue):
    queue.send_many([f"m{i}" for i in range(5)])
    first, second = queue.receive(2, LONG), queue.receive(32, LONG)
    assert (len(first), len(second)) == (2, 3)


@pytest.mark.parametrize("count", [0, 33])
def test_a_batch_outside_1_to_32_is_refused(queue, count):
    with pytest.raises(ValueError, match="1 to 32"):
        queue.receive(count, LONG)


def test_send_many_puts_every_body_once(queue):
    bodies = [f"m{i}" for i in range(60)]
    queue.send_many(bodies)
    received = [m.body for _ in range(2) for m in queue.receive(32, LONG)]
    assert sorted(received) == sorted(bodies)


def test_a_hidden_message_is_counted_and_not_given(queue):
    queue.send("later", hidden_seconds=LONG)
    assert queue.depth() == 1
    assert queue.receive(32, LONG) == []


def test_depth_counts_what_is_held(queue):
    queue.send_many(["a", "b", "c"])
    queue.receive(2, LONG)
    assert queue.depth() == 3


def test_completing_deletes(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    queue.complete(held)
    assert queue.depth() == 0


def test_renewing_to_zero_makes_it_visible_and_the_delivery_count_rises(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    queue.renew(held, 0)
    (again,) = queue.receive(1, LONG)
    assert (again.message_id, again.delivery_count) == (held.message_id, 2)


def test_renewing_keeps_the_body_unless_a_new_one_is_given(queue):
    queue.send("old <&>")
    (held,) = queue.receive(1, LONG)
    held = queue.renew(held, LONG)
    assert held.body == "old <&>"
    held = queue.renew(held, 0, body="new <&>")
    assert held.body == "new <&>"
    (again,) = queue.receive(1, LONG)
    assert again.body == "new <&>"


def test_renewing_keeps_it_hidden(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    queue.renew(held, LONG)
    assert queue.receive(1, LONG) == []


def test_only_the_newest_receipt_completes(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    renewed = queue.renew(held, LONG)
    with pytest.raises(LeaseLost):
        queue.complete(held)
    assert queue.depth() == 1
    queue.complete(renewed)
    assert queue.depth() == 0


def test_only_the_newest_receipt_renews(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    queue.renew(held, LONG)
    with pytest.raises(LeaseLost):
        queue.renew(held, 0)
    assert queue.receive(1, LONG) == []


def test_the_first_holder_loses_its_lease_when_somebody_else_receives(queue):
    queue.send("one")
    (first,) = queue.receive(1, LONG)
    visible = queue.renew(first, 0)
    (second,) = queue.receive(1, LONG)
    for attempt in (lambda: queue.renew(visible, LONG), lambda: queue.complete(visible)):
        with pytest.raises(LeaseLost):
            attempt()
    queue.complete(second)


def test_a_receipt_stays_good_after_its_time_when_nobody_else_received(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    visible = queue.renew(held, 0)
    queue.complete(visible)
    assert queue.depth() == 0


def test_completing_twice_says_that_the_lease_is_lost(queue):
    queue.send("one")
    (held,) = queue.receive(1, LONG)
    queue.complete(held)
    with pytest.raises(LeaseLost):
        queue.complete(held)
    with pytest.raises(LeaseLost):
        queue.renew(held, LONG)


def test_a_cleared_queue_has_nothing_left_also_of_what_somebody_holds(queue):
    queue.send_many(["one", "two"])
    (held,) = queue.receive(1, LONG)
    queue.clear()
    assert queue.depth() == 0
    with pytest.raises(LeaseLost):
        queue.complete(held)
    queue.clear()


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x1f", "\ufffe", "\ud800"])
def test_a_body_that_could_not_be_returned_is_refused(queue, character):
    with pytest.raises(ValueError, match="cannot hold the character"):
        queue.send(f"a{character}b")
    queue.send("fine")
    (held,) = queue.receive(1, LONG)
    with pytest.raises(ValueError, match="cannot hold the character"):
        queue.renew(held, 0, body=character)
    assert queue.depth() == 1


def test_a_body_beyond_64_kib_is_refused_and_one_of_64_kib_is_not(queue):
    queue.send("x" * 65_536)
    with pytest.raises(ValueError, match="65536 bytes"):
        queue.send("x" * 65_535 + "é")
    assert queue.depth() == 1
