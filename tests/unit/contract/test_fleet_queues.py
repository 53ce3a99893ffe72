"""What happens between three queues: urgent first, one update for a return, and no move that loses or deletes."""

from __future__ import annotations

import pytest

from contract.errors import LeaseLost, StorageUnavailable
from contract.fleet_queues import MOVE_SECONDS, FleetQueues
from contract.simulated_faults import no_fault
from contract.tile_queues.simulated import SimulatedQueues

LEASE_SECONDS = 90


class Died(BaseException):
    """The process ended at this moment."""


class Fleet:
    """Three queues under a clock of the test's own."""

    def __init__(self):
        self.now = 1_700_000_000.0
        self.account = SimulatedQueues(lambda: self.now)
        self.queues = self.seen_with(no_fault)
        self.queues.ensure()

    def seen_with(self, fault) -> FleetQueues:
        return FleetQueues(
            *(self.account.queue(f"t-{name}", fault) for name in ("tiles", "urgent", "poison"))
        )

    def visible(self, queue) -> list[str]:
        return sorted(held.body for held in queue.receive(32, 1))

    def depths(self) -> tuple[int, int, int]:
        return self.queues.tiles.depth(), self.queues.urgent.depth(), self.queues.poison.depth()


@pytest.fixture
def fleet():
    return Fleet()


class Calls:
    """Notes each request, and does something at one of them."""

    def __init__(self, moment=None, error=None):
        self.moment, self.error, self.made = moment, error, []

    def __call__(self, when, operation, name):
        self.made.append((when, operation, name))
        if self.moment == (when, operation, name):
            raise self.error


def hold(fleet, body="old"):
    fleet.queues.tiles.send(body)
    (held,) = fleet.queues.receive(1, LEASE_SECONDS)
    return held


def to_urgent(queues, held):
    queues.move_to_urgent(held, body_if_left="left", body_moved="moved")


def test_urgent_messages_come_first_and_the_rest_of_the_batch_from_the_others(fleet):
    for number in range(3):
        fleet.queues.tiles.send(f"tile {number}")
    fleet.queues.urgent.send("urgent")
    assert [held.body for held in fleet.queues.receive(2, LEASE_SECONDS)] == ["urgent", "tile 0"]


def test_urgent_messages_are_kept_when_the_other_queue_does_not_answer(fleet):
    fleet.queues.urgent.send("urgent")
    away = Calls(("before", "receive", "t-tiles"), StorageUnavailable("away"))
    assert [held.body for held in fleet.seen_with(away).receive(2, LEASE_SECONDS)] == ["urgent"]
    with pytest.raises(StorageUnavailable):
        fleet.seen_with(away).receive(2, LEASE_SECONDS)


def test_a_return_to_the_same_queue_is_one_update_with_new_content_and_visibility(fleet):
    held = hold(fleet)
    calls = Calls()
    fleet.seen_with(calls).give_back(held, "new", 30)
    assert [call for call in calls.made if call[0] == "before"] == [("before", "renew", "t-tiles")]
    assert fleet.visible(fleet.queues.tiles) == []
    fleet.now += 30
    assert fleet.visible(fleet.queues.tiles) == ["new"]


def test_a_move_to_urgent_is_an_update_that_proves_the_lease_a_put_and_a_delete(fleet):
    held = hold(fleet)
    calls = Calls()
    to_urgent(fleet.seen_with(calls), held)
    assert [call[1:] for call in calls.made if call[0] == "before"] == [
        ("renew", "t-tiles"),
        ("send", "t-urgent"),
        ("complete", "t-tiles"),
    ]
    assert fleet.depths() == (0, 1, 0)
    assert fleet.visible(fleet.queues.urgent) == ["moved"]


def test_a_move_of_a_message_that_is_somebody_elses_does_nothing(fleet):
    held = hold(fleet)
    fleet.now += LEASE_SECONDS
    (others,) = fleet.queues.receive(1, LEASE_SECONDS)
    with pytest.raises(LeaseLost):
        to_urgent(fleet.queues, held)
    assert fleet.depths() == (1, 0, 0)
    fleet.queues.complete(others)


def test_a_put_that_fails_leaves_the_message_visible_with_its_totals(fleet):
    held = hold(fleet)
    away = Calls(("before", "send", "t-urgent"), StorageUnavailable("away"))
    with pytest.raises(StorageUnavailable):
        to_urgent(fleet.seen_with(away), held)
    assert fleet.depths() == (1, 0, 0)
    assert fleet.visible(fleet.queues.tiles) == ["left"]


def test_a_put_whose_answer_is_lost_asks_twice_and_loses_nothing(fleet):
    held = hold(fleet)
    lost = Calls(("after", "send", "t-urgent"), StorageUnavailable("no answer"))
    with pytest.raises(StorageUnavailable):
        to_urgent(fleet.seen_with(lost), held)
    assert (fleet.visible(fleet.queues.tiles), fleet.visible(fleet.queues.urgent)) == (["left"], ["moved"])


MOVES = [
    (when, operation, queue)
    for operation, queue in (("renew", "t-tiles"), ("send", "t-urgent"), ("complete", "t-tiles"))
    for when in ("before", "after")
]


@pytest.mark.parametrize("moment", MOVES)
def test_a_mover_that_dies_at_any_moment_leaves_at_least_one_message_visible_in_time(fleet, moment):
    held = hold(fleet)
    with pytest.raises(Died):
        to_urgent(fleet.seen_with(Calls(moment, Died())), held)
    # Before its first update the lease is the old one; after it the move's own, which is short.
    fleet.now += LEASE_SECONDS if moment == MOVES[0] else MOVE_SECONDS
    found = fleet.visible(fleet.queues.tiles) + fleet.visible(fleet.queues.urgent)
    assert found in (["old"], ["left"], ["left", "moved"], ["moved"])


def test_an_urgent_message_goes_back_to_urgent_by_one_update(fleet):
    fleet.queues.urgent.send("old")
    (held,) = fleet.queues.receive(1, LEASE_SECONDS)
    to_urgent(fleet.queues, held)
    assert fleet.visible(fleet.queues.urgent) == ["left"]


def test_the_pointer_is_put_before_the_message_is_deleted(fleet):
    held = hold(fleet)
    calls = Calls()
    fleet.seen_with(calls).move_to_poison(held, "pointer")
    assert [call[1] for call in calls.made if call[0] == "before"] == ["send", "complete"]
    assert fleet.depths() == (0, 0, 1)
