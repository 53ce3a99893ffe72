"""What the rules tell a person ends: said once when it begins, resolved once when it is over."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from contract.heartbeat import WorkerState
from contract.job import JobState
from fleetctl.controller.actions import Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.memory import Memory, Spend
from fleetctl.controller.policy import Limits
from fleetctl.controller.snapshot import JobSeen, Power
from fleetctl.controller.wish import Wish, WishSeen
from tests.unit.fleetctl.controller.toy_cloud import OFFER, ToyCloud, policy

DAY = 86_400.0
SICK = "uk-a10-0003"


def told(cloud: ToyCloud) -> tuple[set[str], set[str]]:
    """Keys that were begun and those that were resolved, each of them once."""
    begun = Counter(
        action.target for action in cloud.of(Verb.ALERT) if not action.target.startswith("offer:")
    )
    ended = Counter(action.target for action in cloud.of(Verb.RESOLVE))
    assert set((begun | ended).values()) <= {1}
    return set(begun), set(ended)


def limited(**limits: float) -> ToyCloud:
    cloud = ToyCloud(policy(most=30), waiting=100_000)
    cloud.policy = replace(cloud.policy, limits=Limits(vms=30, **limits))
    return cloud


def test_a_raised_budget_ends_the_warnings_and_the_stop_of_the_old_one():
    cloud = limited(usd=10.0)
    cloud.ticks(400)
    begun, ended = told(cloud)
    assert begun >= {"stopped:usd:10.0", "budget:fleet:50:10", "budget:fleet:80:10"}
    assert ended == set()
    cloud.policy = replace(cloud.policy, limits=Limits(vms=30, usd=100.0))
    cloud.ticks(3)
    assert told(cloud) == (begun, begun)
    assert cloud.memory.spend.warned == ()


def test_a_new_day_ends_what_was_said_of_yesterdays_money():
    cloud = limited(usd_per_day=10.0)
    cloud.now = cloud.now // DAY * DAY + DAY - 2 * 3600
    cloud.memory = Memory(spend=Spend(counted_until=cloud.now))
    cloud.ticks(2 * 240 - 2)
    begun, ended = told(cloud)
    assert len(begun) >= 3
    assert ended == set()
    cloud.ticks(4)
    assert told(cloud) == (begun, begun)


def test_a_warning_of_a_jobs_budget_ends_with_the_job_and_not_while_nobody_sees_the_jobs():
    job = JobSeen("uk-2024-00000000", JobState.RUNNING, 10, 0, 0, 10.0)
    memory = Memory(spend=Spend(paid=6.0, by_job={job.id: 6.0}))
    seen = ToyCloud(policy()).snapshot()

    def step(jobs: tuple[JobSeen, ...] | None) -> list[tuple[Verb, str]]:
        nonlocal memory
        decision = decide(replace(seen, jobs=jobs), memory, policy())
        memory = decision.memory
        return [(a.verb, a.target) for a in decision.actions if a.verb in (Verb.ALERT, Verb.RESOLVE)]

    key = f"budget:{job.id}:50:10"
    assert step((job,)) == [(Verb.ALERT, key)]
    assert step((job,)) == step(None) == []
    assert step(()) == [(Verb.RESOLVE, key)]
    assert step(()) == []


def test_a_job_that_is_paused_for_its_budget_is_told_with_its_account_until_it_has_more():
    job = JobSeen("uk-2024-00000000", JobState.RUNNING, 10, 5, 0, 10.0)
    memory = Memory(spend=Spend(paid=10.0, by_job={job.id: 10.0}))
    seen = replace(ToyCloud(policy()).snapshot(), jobs=(job,))
    first = decide(seen, memory, policy())
    key = f"budget:{job.id}:stop:10"
    (told,) = (action for action in first.actions if action.target == key)
    assert "5 of 10 tiles done, 5 left" in told.reason
    raised = replace(seen, jobs=(replace(job, budget_usd=100.0),))
    second = decide(raised, first.memory, policy())
    assert (Verb.RESOLVE, key) in [(action.verb, action.target) for action in second.actions]


@pytest.fixture
def quarantined() -> ToyCloud:
    cloud = ToyCloud(policy(most=10), waiting=100)
    cloud.ticks(20)
    vm = cloud.vms[SICK]
    vm.state, vm.held, vm.sick_boots = WorkerState.UNFIT, 0, 99
    cloud.ticks(60)
    assert told(cloud) == ({f"quarantine:{SICK}"}, set())
    return cloud


def test_a_machine_that_a_person_starts_is_set_aside_no_more(quarantined: ToyCloud):
    look = quarantined.snapshot
    wish = WishSeen("wishes/1", SICK, Wish.START, "its GPU was changed", quarantined.now)
    quarantined.vms[SICK].sick_boots = 0
    quarantined.snapshot = lambda: replace(look(), wishes=(wish,))
    quarantined.tick()
    quarantined.snapshot = look
    quarantined.ticks(10)
    assert quarantined.vms[SICK].power is Power.RUNNING
    assert told(quarantined)[1] == {f"quarantine:{SICK}"}


def test_a_machine_that_is_gone_is_set_aside_no_more(quarantined: ToyCloud):
    del quarantined.vms[SICK]
    quarantined.ticks(3)
    assert told(quarantined)[1] == {f"quarantine:{SICK}"}


def test_an_offer_with_trouble_is_resolved_also_when_its_first_probe_finds_it_sold_out():
    cloud = ToyCloud(policy(), waiting=5, quota=0, enforces_quota=True)
    cloud.sees_quota = 10_000
    cloud.ticks(4)
    assert {action.target for action in cloud.of(Verb.ALERT)} == {f"offer:{OFFER}"}
    cloud.quota, cloud.has_capacity = 10_000, False
    cloud.ticks(160)
    assert told(cloud)[1] == set()
    cloud.has_capacity = True
    cloud.ticks(80)
    assert cloud.up() == 5
    assert told(cloud)[1] == {f"offer:{OFFER}"}


def test_an_offer_with_trouble_that_no_pool_asks_for_any_more_is_forgotten():
    cloud = ToyCloud(policy(), waiting=5, quota=0, enforces_quota=True)
    cloud.sees_quota = 10_000
    cloud.ticks(4)
    cloud.policy = replace(cloud.policy, pools=())
    cloud.tick()
    assert told(cloud)[1] == {f"offer:{OFFER}"}
    assert cloud.memory.offers == {}


def test_a_fleets_date_is_told_to_the_second_so_that_another_one_is_another():
    cloud = limited()
    cloud.policy = replace(cloud.policy, stop_after=cloud.now)
    begun = [action.target for action in cloud.tick() if action.verb is Verb.ALERT]
    assert begun == ["stopped:stop_after:1000000"]
    cloud.policy = replace(cloud.policy, stop_after=cloud.now + 1)
    assert f"stopped:stop_after:{cloud.now + 1:.0f}" in [action.target for action in cloud.tick()]
