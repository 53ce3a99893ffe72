"""A person's wish is taken up once, beside a controller that works, and not before the fleet's budget."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import BadInput
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.memory import Intent
from fleetctl.controller.policy import Limits
from fleetctl.controller.snapshot import Power, Snapshot
from fleetctl.controller.wish import Wish
from fleetctl.controller.wishes import ask, ask_again, lift_down, read_wishes, take_down
from tests.unit.fleetctl.controller.toy_cloud import OFFER, ToyCloud, policy

FIRST = "uk-a10-0001"


@dataclass
class AskedCloud(ToyCloud):
    """With a storage that people leave wishes in, and that can be away."""

    is_storage_away: bool = False

    def __post_init__(self) -> None:
        self.store = SimulatedBlobStore(SimulatedContainer(lambda: self.now))

    def snapshot(self) -> Snapshot:
        wishes = None if self.is_storage_away else read_wishes(self.store)
        return replace(super().snapshot(), wishes=wishes)

    def _do(self, action: Action) -> None:
        if action.verb is Verb.FORGET_WISH:
            self.store.delete(action.target)
        else:
            super()._do(action)

    def ask(self, wish: Wish, vm: str = FIRST) -> None:
        ask(self.store, vm, wish, reason=f"fleetctl {wish.value}")

    def power(self, vm: str = FIRST) -> Power | None:
        return self.vms[vm].power if vm in self.vms else None

    def intent(self, vm: str = FIRST) -> Intent:
        return self.memory.vms[vm].intent

    def standing(self) -> list[Wish]:
        return [seen.wish for seen in read_wishes(self.store)]


@pytest.fixture
def cloud():
    """Two machines at work, and nothing that waits."""
    cloud = AskedCloud(policy(most=5), waiting=2)
    cloud.ticks(12)
    assert {vm.power for vm in cloud.vms.values()} == {Power.RUNNING}
    assert [vm.held for vm in cloud.vms.values()] == [1, 1]
    return cloud


def test_a_drained_machine_finishes_its_tile_and_is_deleted(cloud):
    cloud.ask(Wish.DRAIN)
    first = cloud.tick()
    assert (Verb.DRAIN, FIRST) in [(action.verb, action.target) for action in first]
    assert cloud.standing() == [], "taken up once"
    cloud.ticks(3)
    assert FIRST not in cloud.vms
    assert cloud.power("uk-a10-0002") is Power.RUNNING


def test_a_stopped_machine_finishes_its_tile_is_deallocated_and_stays_so_whatever_waits(cloud):
    cloud.ask(Wish.STOP)
    cloud.tick()
    assert cloud.power() is Power.RUNNING, "it holds a tile"
    cloud.waiting = 3
    cloud.ticks(12)
    assert cloud.power() is Power.DEALLOCATED
    assert cloud.intent() is Intent.PARK


def test_a_started_machine_is_forgiven_and_works_again(cloud):
    cloud.ask(Wish.STOP)
    cloud.ticks(12)
    assert cloud.power() is Power.DEALLOCATED
    cloud.ask(Wish.START)
    verbs = [action.verb for action in cloud.tick() if action.target == FIRST]
    assert Verb.UNDRAIN in verbs, "else its workers would leave at once"
    assert verbs.count(Verb.START) == 1
    cloud.ticks(4)
    assert cloud.power() is Power.RUNNING
    assert cloud.intent() is Intent.RUN


def test_a_start_waits_until_the_machine_has_stopped(cloud):
    cloud.vms[FIRST].power, cloud.vms[FIRST].then, cloud.vms[FIRST].until = Power.DEALLOCATING, None, 0.0
    cloud.ask(Wish.START)
    assert Verb.START not in [action.verb for action in cloud.tick()]
    assert cloud.standing() == [Wish.START]


def test_a_start_waits_while_the_money_is_spent(cloud):
    cloud.ask(Wish.STOP)
    cloud.ticks(12)
    cloud.policy = replace(cloud.policy, limits=Limits(vms=5, usd=0.0001))
    cloud.ask(Wish.START)
    assert Verb.START not in [action.verb for action in cloud.tick()]


def test_a_wish_for_a_machine_that_is_not_there_is_forgotten(cloud):
    cloud.ask(Wish.DRAIN, "uk-a10-0099")
    cloud.tick()
    assert cloud.standing() == []


def test_a_fleet_that_is_taken_down_lets_all_go_and_makes_none_until_it_is_lifted(cloud):
    cloud.ask(Wish.STOP)
    cloud.ticks(12)
    take_down(cloud.store, reason="the campaign is over")
    take_down(cloud.store, reason="the campaign is over")
    cloud.waiting = 4
    cloud.ticks(30)
    assert cloud.vms == {}, "the parked one, too"
    assert cloud.memory.stopped_for == "the campaign is over"
    assert lift_down(cloud.store)
    cloud.ticks(2)
    assert len(cloud.vms) == 4


def test_a_fleet_stays_down_while_nobody_can_look_whether_it_is(cloud):
    take_down(cloud.store, reason="down")
    cloud.ticks(10)
    cloud.is_storage_away, cloud.waiting = True, 3
    cloud.ticks(5)
    assert cloud.up() == 0
    assert cloud.memory.stopped_for == "down"


def test_a_mended_quota_is_used_at_the_next_tick_after_an_up_and_not_half_an_hour_later():
    cloud = AskedCloud(policy(most=5), waiting=5, quota=20, enforces_quota=True, sees_quota=10_000)
    cloud.ticks(3)
    refused = cloud.refusals()
    cloud.quota = 10_000
    cloud.ticks(3)
    assert (cloud.vms, cloud.refusals()) == ({}, refused), "nobody said that it is mended"
    ask_again(cloud.store, reason="a person typed `fleetctl up`")
    resolved = [action.target for action in cloud.tick() if action.verb is Verb.RESOLVE]
    assert (len(cloud.vms), cloud.standing(), resolved) == (5, [], [f"offer:{OFFER}"])


def test_wishes_are_read_in_the_order_of_asking_and_what_is_none_is_passed_over(cloud):
    cloud.store.put(artifact_names.wish(FIRST, "odd"), b"", metadata={"wish": "explode"})
    cloud.store.put(artifact_names.wish(FIRST, "bare"), b"")
    cloud.ask(Wish.STOP)
    cloud.now += 10
    ask(cloud.store, FIRST, Wish.START, reason='es ist "wieder" schön')
    seen = read_wishes(cloud.store)
    assert [one.wish for one in seen] == [Wish.STOP, Wish.START]
    assert seen[1].reason == 'es ist "wieder" schön'
    with pytest.raises(BadInput, match="cannot name a machine"):
        ask(cloud.store, "../leader", Wish.STOP, reason="")
