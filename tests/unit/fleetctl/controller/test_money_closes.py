"""What the controller charges is what the machines cost, and every cent has one kind, one day and one payer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from contract.job import JobState
from fleetctl.controller.actions import Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.memory_codec import decode_memory, encode_memory
from fleetctl.controller.snapshot import JobSeen, Power
from fleetctl.money.statement import OVERHEAD, charged_by_job, fleet_statement, job_statement
from tests.unit.fleetctl.controller.metered_cloud import TILE_BYTES, MeteredCloud
from tests.unit.fleetctl.controller.toy_cloud import OFFER, policy

pytestmark = pytest.mark.slow

HOUR = 240
"""Ticks."""


def two_jobs() -> tuple[JobSeen, ...]:
    return tuple(JobSeen(f"{name}-00000000", JobState.RUNNING, 4_000, 0, 0, None) for name in ("uk", "eire"))


@pytest.fixture
def cloud_that_sends() -> MeteredCloud:
    cloud = MeteredCloud(policy(most=12), waiting=60, jobs=two_jobs(), usd_per_gb=2.0)
    cloud.work(HOUR)
    assert cloud.done == 60
    return cloud


def assert_sums_agree(spend):
    for sums in (spend.by_kind, spend.by_job, spend.by_day):
        assert sum(sums.values()) == pytest.approx(spend.paid, rel=1e-9)
        assert all(usd >= 0 for usd in sums.values())


@pytest.mark.parametrize(("evictions_per_vm_hour", "seed"), [(0.0, 1), (0.072, 2), (1.0, 3)])
def test_the_account_agrees_with_an_independent_meter(evictions_per_vm_hour, seed):
    print(f"seed {seed}")
    cloud = MeteredCloud(
        policy(most=20),
        seed=seed,
        waiting=3_000,
        evictions_per_vm_hour=evictions_per_vm_hour,
        jobs=two_jobs(),
        usd_per_gb=0.05,
    )
    cloud.work(8 * HOUR)
    cloud.waiting = 0
    cloud.work(HOUR)
    spend = cloud.memory.spend
    assert cloud.up() == 0
    assert_sums_agree(spend)
    assert spend.paid == pytest.approx(cloud.compute_usd + cloud.disk_usd + cloud.traffic_usd, rel=0.01)
    assert spend.by_kind["traffic"] == pytest.approx(cloud.traffic_usd, rel=1e-6)
    assert sum(spend.traffic_by_job.values()) == pytest.approx(cloud.traffic_usd, rel=1e-6)
    assert spend.by_kind["disks"] == pytest.approx(cloud.disk_usd, rel=0.01)
    assert spend.by_kind.get("evicted", 0.0) == pytest.approx(cloud.lost_usd, rel=0.1)
    assert sum(spend.evictions.values()) == pytest.approx(cloud.evicted, rel=0.05)


def test_useful_time_is_what_the_finished_tiles_took():
    cloud = MeteredCloud(policy(most=10), waiting=300)
    cloud.work(4 * HOUR)
    assert cloud.done == 300
    useful_usd = cloud.done * cloud.tile_seconds * cloud.usd_per_hour / 3600
    assert cloud.memory.spend.by_kind["useful"] == pytest.approx(useful_usd, rel=0.06)
    assert {"idle", "boot", "disks"} <= cloud.memory.spend.by_kind.keys()


def test_traffic_is_charged_to_the_job_whose_bytes_they_are_and_told(cloud_that_sends):
    spend = cloud_that_sends.memory.spend
    for job, length in cloud_that_sends.sent.items():
        assert spend.traffic_by_job[job] == pytest.approx(length / 1e9 * 2.0)
    one = two_jobs()[0]
    account = job_statement(spend, one)
    assert account.traffic_usd == pytest.approx(cloud_that_sends.sent[one.id] / 1e9 * 2.0)
    assert f"USD spent ({account.traffic_usd:.2f} for traffic)" in account.sentence
    whole = fleet_statement(spend, two_jobs(), None)
    assert whole.traffic_usd == pytest.approx(spend.by_kind["traffic"])


def test_a_ledger_that_is_folded_anew_is_not_charged_twice(cloud_that_sends):
    cloud, paid = cloud_that_sends, cloud_that_sends.memory.spend.traffic_by_job
    before, cloud.sent = Counter(cloud.sent), Counter()
    cloud.tick(15.0)
    assert cloud.memory.spend.traffic_by_job == paid
    cloud.sent = before + Counter(dict.fromkeys(before, 1_000_000_000))
    cloud.tick(15.0)
    for job, usd in cloud.memory.spend.traffic_by_job.items():
        assert usd == pytest.approx(paid[job] + 2.0)


def test_what_is_sent_inside_the_storages_region_costs_nothing_also_later():
    cloud = MeteredCloud(policy(most=5), waiting=60)
    cloud.work(60)
    assert cloud.done
    assert "traffic" not in cloud.memory.spend.by_kind
    cloud.usd_per_gb = 2.0
    cloud.tick(15.0)
    assert cloud.memory.spend.by_kind.get("traffic", 0.0) < 5 * TILE_BYTES / 1e9 * 2.0 + 1e-9


def test_a_fleet_whose_traffic_is_dear_still_ends_within_its_budget():
    cloud = MeteredCloud(policy(limits=replace(policy().limits, usd=20.0)), waiting=5_000, usd_per_gb=0.4)
    cloud.work(3 * HOUR)
    assert cloud.up() == 0
    assert cloud.memory.spend.by_kind["traffic"] > 4.0
    assert 10.0 < cloud.memory.spend.paid <= 20.2


def test_overhead_is_shared_in_proportion_and_nobody_pays_twice():
    cloud = MeteredCloud(policy(most=12), waiting=2_000, jobs=two_jobs())
    cloud.work(HOUR)
    spend = cloud.memory.spend
    charged = charged_by_job(spend)
    assert sum(charged.values()) == pytest.approx(spend.paid)
    assert charged["uk-00000000"] / charged["eire-00000000"] == pytest.approx(
        spend.by_job["uk-00000000"] / spend.by_job["eire-00000000"]
    )
    assert spend.by_job[OVERHEAD] > 0


def test_ticks_that_see_no_machines_are_charged_by_the_next_one_that_does():
    blind, seeing = MeteredCloud(policy(most=5), waiting=500), MeteredCloud(policy(most=5), waiting=500)
    for cloud in (blind, seeing):
        cloud.work(40)
    for _ in range(20):
        seeing.work(1)
        blind.now += 15
        decision = decide(replace(blind.snapshot(), vms=None), blind.memory, blind.policy)
        blind.memory = decision.memory
    blind.work(1)
    seeing.work(1)
    assert blind.memory.spend.paid == pytest.approx(seeing.memory.spend.paid, rel=0.01)


def test_machines_that_are_listed_without_their_power_state_are_charged_as_what_they_were():
    cloud = MeteredCloud(policy(most=5), waiting=500)
    cloud.work(40)
    stopped, *_ = cloud.vms
    cloud.vms[stopped].power = Power.DEALLOCATED
    seen = replace(cloud.snapshot(), now=cloud.now + 15)
    memory = decide(seen, cloud.memory, cloud.policy).memory  # it is known to be off
    later = replace(seen, now=cloud.now + 30)
    nameless = {name: replace(vm, power=Power.UNKNOWN) for name, vm in seen.vms.items()}
    charged, guessed = (
        decide(snapshot, memory, cloud.policy).memory.spend.paid - memory.spend.paid
        for snapshot in (later, replace(later, vms=nameless))
    )
    assert 0 < guessed == pytest.approx(charged)


def test_an_unknown_price_is_taken_for_a_dear_one_so_that_a_budget_still_ends_the_fleet():
    cloud = MeteredCloud(policy(limits=replace(policy().limits, usd=20.0)), waiting=5_000)
    look = cloud.snapshot
    cloud.snapshot = lambda: replace(look(), usd_per_hour={})
    cloud.work(3 * HOUR)
    assert cloud.up() == 0
    assert cloud.memory.spend.paid <= 20.2


def test_the_account_survives_being_written_down():
    cloud = MeteredCloud(policy(most=5), waiting=200, evictions_per_vm_hour=2.0)
    cloud.work(HOUR)
    spend = cloud.memory.spend
    assert spend.evictions[str(OFFER)] > 0
    assert decode_memory(encode_memory(cloud.memory)).spend == spend


def test_a_stop_says_what_is_done_what_is_left_and_what_finishing_costs():
    cloud = MeteredCloud(policy(limits=replace(policy().limits, usd=20.0)), waiting=5_000)
    said = []
    while not said:
        cloud._pass_time()
        said = [a for a in cloud.tick(15.0) if a.verb is Verb.ALERT and a.target.startswith("stopped:")]
        cloud._finish_tiles()
    (alert,) = said
    assert f"{cloud.done} of 10000 tiles done, {10_000 - cloud.done} left" in alert.reason
    assert "finishing costs about" in alert.reason


def test_a_statement_before_the_first_tile_promises_nothing():
    cloud = MeteredCloud(policy(most=5), waiting=500)
    cloud.work(4)
    account = fleet_statement(cloud.memory.spend, cloud.snapshot().jobs, None)
    assert (account.usd_per_tile, account.finishing_usd, account.forecast_usd) == (None, None, None)
    assert account.sentence.endswith("nobody knows yet what finishing costs")
