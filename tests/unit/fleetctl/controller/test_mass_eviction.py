"""A hundred machines evicted at once and no room for ten minutes: how soon all run again, and what asking costs.

In virtual time, with the controller's own hands. `pytest -s` on this file prints the figures.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import cycle
from random import Random

import pytest

from fleetctl.cloud.machines import NewVm, Refusal
from fleetctl.controller.act import Hands
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.learn import learn
from fleetctl.controller.policy import Limits, Offer, Policy, Pool, Priority
from fleetctl.controller.snapshot import Quota, Snapshot
from tests.unit.fleetctl.controller.toy_cloud import ToyCloud

MACHINES = 100
SEEDS = 24
WITHOUT_ROOM_SECONDS = 600.0
KINDS = ((0.0, 0.0), (0.0, 0.3), (20.0, 3.0))
"""Seconds that the eviction takes, and by how many each tick may be late."""
REGIONS = ("westeurope", "eastus", "uksouth", "francecentral", "swedencentral", "southcentralus")
SIZES = ("Standard_NV36ads_A10_v5", "Standard_NC8as_T4_v3", "Standard_D16s_v6")


@dataclass
class HandedCloud(ToyCloud):
    """Whose calls are made by the controller's hands, several at a time, and whose machines start each in its time."""

    chance: Random = field(default_factory=Random)
    refused: int = 0

    def __post_init__(self) -> None:
        others = dict.fromkeys(Verb, lambda _action: None)
        self._lock = threading.Lock()
        self._hands = Hands(self, self._new_vm, others, lambda _seconds: None)  # type: ignore[arg-type]

    @property
    def offer(self) -> Offer:
        return self.policy.pools[0].offer

    def snapshot(self) -> Snapshot:
        return replace(super().snapshot(), spot_quota={self.offer.region: Quota(self.quota, 0)})

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action, refused in self._hands.carry_out(actions, lambda _action: self.offer):
            self.refused += refused.kind is Refusal.NO_CAPACITY
            self.memory = learn(self.memory, action, self.offer, refused, self.now)

    def _new_vm(self, name: str) -> NewVm:
        return NewVm(name, self.offer, "image", "subnet", "", "", 64, "")

    def create(self, vm: NewVm) -> None:
        self._ask(vm.name, is_new=True)

    def start(self, name: str) -> None:
        self._ask(name, is_new=False)

    def _ask(self, name: str, *, is_new: bool) -> None:
        with self._lock:
            self.start_seconds = self.chance.uniform(20.0, 50.0)
            self._start(name, is_new=is_new)


def a_bad_quarter_of_an_hour(
    seed: int, eviction_seconds: float, late_seconds: float
) -> tuple[float, HandedCloud]:
    """Seconds from when there is room again to when the last machine runs. Ticks are late by up to so much."""
    chance = Random(seed)
    offer = Offer(chance.choice(REGIONS), chance.choice(SIZES), Priority.SPOT)
    pool = Pool("a10", offer, vcpus=36, slots=1, min_vms=0, max_vms=MACHINES)
    cloud = HandedCloud(Policy("uk", (pool,), Limits(vms=MACHINES)), waiting=10 * MACHINES, chance=chance)
    cloud.ticks(20)
    assert cloud.up() == MACHINES
    began = cloud.now + chance.uniform(0, 15)
    room_at = began + WITHOUT_ROOM_SECONDS
    evictions = {name: began + chance.uniform(0, eviction_seconds) for name in cloud.vms}
    while cloud.now < room_at or (cloud.up() < MACHINES and cloud.now < room_at + 900):
        seconds = 15 + chance.uniform(0, late_seconds)
        at = cloud.now + seconds
        cloud.has_capacity = at >= room_at
        gone = [name for name, evicted_at in evictions.items() if evicted_at <= at]
        cloud.evict(gone)
        for name in gone:
            del evictions[name]
        cloud.tick(seconds)
    assert cloud.up() == MACHINES
    return max(vm.until for vm in cloud.vms.values()) - room_at, cloud


@pytest.mark.slow
def test_all_run_two_minutes_after_there_is_room_and_few_asked_in_vain():
    ends = [
        a_bad_quarter_of_an_hour(seed, eviction_seconds, late_seconds)
        for seed, (eviction_seconds, late_seconds) in zip(range(SEEDS), cycle(KINDS), strict=False)
    ]
    slowest = max(seconds for seconds, _ in ends)
    most_refused = max(cloud.refused for _, cloud in ends) / MACHINES
    print(f"{SEEDS} seeds: all run after {slowest:.0f} s at most, {most_refused:.2f} refused calls per start")
    assert slowest <= 120
    assert most_refused <= 0.05
