"""Calls of one tick: all of them are made, but for starts where the cloud just said that there is no room."""

from __future__ import annotations

import threading

from fleetctl.cloud.machines import NewVm, Refusal, Refused
from fleetctl.controller.act import PARALLEL_CALLS, Hands
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.policy import Offer, Priority

HERE = Offer("westeurope", "Standard_NV36ads_A10_v5", Priority.SPOT)
THERE = Offer("eastus", "Standard_NV36ads_A10_v5", Priority.SPOT)


class Cloud:
    """Starts what it has room for, and counts who asked."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.is_role_missing = False
        self.asked: list[str] = []
        self.deleted: list[str] = []
        self._lock = threading.Lock()

    def start(self, name: str) -> None:
        with self._lock:
            self.asked.append(name)
            if name.startswith("here"):
                if self.is_role_missing:
                    raise Refused(Refusal.NOT_ALLOWED, "AuthorizationFailed", "a role is missing")
                if self.room == 0:
                    raise Refused(Refusal.NO_CAPACITY, "SkuNotAvailable", "sold out")
                self.room -= 1

    def delete(self, name: str) -> None:
        self.deleted.append(name)


def carry_out(cloud: Cloud, actions: list[Action]) -> dict[str, Refusal]:
    hands = Hands(cloud, NewVm, {Verb.UNDRAIN: lambda _: None}, lambda _: None)  # type: ignore[arg-type]
    ends = hands.carry_out(actions, lambda action: HERE if action.target.startswith("here") else THERE)
    return {action.target: refused.kind for action, refused in ends}


def starts(where: str, count: int) -> list[Action]:
    return [Action(Verb.START, f"{where}-{number}", "wanted") for number in range(count)]


def test_a_hundred_starts_without_room_cost_one_refusal_and_the_other_offer_its_due():
    cloud = Cloud(room=0)
    ends = carry_out(cloud, [*starts("here", 100), *starts("there", 5), Action(Verb.DELETE, "old", "idle")])
    assert sorted(cloud.asked) == sorted(["here-0", *(f"there-{n}" for n in range(5))])
    assert cloud.deleted == ["old"]
    assert ends.pop("here-0") is Refusal.NO_CAPACITY
    assert len(ends) == 99
    assert set(ends.values()) == {Refusal.TROUBLE}


def test_a_missing_role_is_told_once_and_not_by_every_start():
    cloud = Cloud(room=100)
    cloud.is_role_missing = True
    ends = carry_out(cloud, starts("here", 100))
    assert cloud.asked == ["here-0"]
    assert len(ends) == 100


def test_room_for_some_is_used_and_costs_at_most_the_calls_in_flight():
    cloud = Cloud(room=37)
    ends = carry_out(cloud, starts("here", 100))
    assert cloud.room == 0
    assert sum(kind is Refusal.NO_CAPACITY for kind in ends.values()) <= PARALLEL_CALLS
    assert len(ends) == 63
