"""A job's own budget: it is paused in time, goes on with more money, and is never held back when it is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract.job import JobState
from fleetctl.controller.actions import Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.memory import Memory, Spend
from fleetctl.controller.rules.reserve import FIRST_TILES
from fleetctl.controller.snapshot import JobSeen
from fleetctl.money.statement import job_statement
from tests.unit.fleetctl.controller.metered_cloud import MeteredCloud
from tests.unit.fleetctl.controller.toy_cloud import policy

HOUR = 240
"""Ticks."""
UK = JobSeen("uk-00000000", JobState.RUNNING, 4_000, 0, 0, 8.0)
EIRE = JobSeen("eire-00000000", JobState.RUNNING, 4_000, 0, 0, None)


def test_a_job_is_paused_with_its_own_account_and_goes_on_with_more_money():
    job = UK
    cloud = MeteredCloud(policy(most=20), waiting=3_000, jobs=(job, EIRE))
    paused = []
    while not paused:
        cloud._pass_time()
        paused = [action for action in cloud.tick(15.0) if action.verb is Verb.PAUSE_JOB]
        cloud._finish_tiles()
    assert "8.00 USD spent" in paused[0].reason
    assert f"`fleetctl budget {job.id} --set USD` goes on" in paused[0].reason
    assert job_statement(cloud.memory.spend, job).spent_usd <= 8.0
    held = replace(job, state=JobState.PAUSED, reason=paused[0].reason)
    cloud.jobs = (held, cloud.jobs[1])
    cloud._finish_tiles()
    assert not [a for a in cloud.tick(15.0) if a.verb is Verb.RESUME_JOB]
    cloud.jobs = (replace(held, budget_usd=50.0), cloud.jobs[1])
    assert [a.target for a in cloud.tick(15.0) if a.verb is Verb.RESUME_JOB] == [job.id]


def test_the_only_jobs_stop_counts_that_its_machines_wait_in_vain_afterwards():
    job = UK
    cloud = MeteredCloud(policy(most=20), waiting=9_000, tile_seconds=60.0, jobs=(job,))
    while job.state is JobState.RUNNING:
        cloud._pass_time()
        if any(action.verb is Verb.PAUSE_JOB for action in cloud.tick(15.0)):
            job = replace(job, state=JobState.PAUSED, reason="budget of 8.0 USD: ")
        cloud._finish_tiles()
    cloud.jobs, cloud.waiting = (job,), 0
    cloud.work(HOUR)
    assert cloud.up() == 0
    assert 6.0 < job_statement(cloud.memory.spend, job).spent_usd <= 8.08


@pytest.mark.parametrize("explained", [0, 2])
def test_a_job_with_nothing_left_is_not_held_back_for_money(explained):
    done = JobSeen("uk-00000000", JobState.RUNNING, 10, 10 - explained, explained, 0.5)
    paid = Memory(spend=Spend(paid=0.7, by_job={done.id: 0.7}))
    seen = MeteredCloud(policy(most=5)).snapshot()
    paused = replace(done, state=JobState.PAUSED, reason="budget of 0.5 USD: 9 of 10 tiles done")
    by_hand = replace(paused, reason="by hand")
    verbs = [
        [a.verb for a in decide(replace(seen, jobs=(job,)), paid, policy()).actions if a.target == job.id]
        for job in (done, paused, by_hand)
    ]
    assert Verb.PAUSE_JOB not in verbs[0]
    assert verbs[1:] == [[Verb.RESUME_JOB], []]


def test_a_budget_that_is_raised_by_less_than_a_cent_is_another_budget():
    job = replace(UK, budget_usd=0.0041, state=JobState.PAUSED)
    paid = Memory(spend=Spend(paid=0.002, by_job={job.id: 0.002}))
    seen = MeteredCloud(policy(most=5)).snapshot()
    reasons = [f"budget of {usd!r} USD: 1 of 2 tiles done" for usd in (0.0041, 0.004)]
    resumed = [
        [a.reason for a in decide(replace(seen, jobs=(replace(job, reason=why),)), paid, policy()).actions]
        for why in reasons
    ]
    assert resumed == [[], ["its budget is 0.0041 USD now, 0.0020 are spent"]]


def test_a_small_budget_on_a_large_fleet_is_not_used_up_by_boots():
    job = UK
    cloud = MeteredCloud(policy(most=100), waiting=3_000, jobs=(job,))
    most_up = 0
    while job.state is JobState.RUNNING:
        cloud._pass_time()
        if any(action.verb is Verb.PAUSE_JOB for action in cloud.tick(15.0)):
            job = replace(job, state=JobState.PAUSED, reason="budget of 8.0 USD: ")
        cloud._finish_tiles()
        most_up = max(most_up, len(cloud.vms))
    cloud.jobs, cloud.waiting = (job,), 0
    cloud.work(HOUR)
    assert 20 <= most_up <= 30
    assert cloud.done >= FIRST_TILES * most_up
    assert job_statement(cloud.memory.spend, job).spent_usd <= 8.08


def test_a_budget_that_is_too_small_for_anything_starts_nothing_and_says_so():
    job = replace(UK, budget_usd=0.1)
    cloud = MeteredCloud(policy(most=100), waiting=3_000, jobs=(job,))
    actions = cloud.tick(15.0)
    (paused,) = [action for action in actions if action.verb is Verb.PAUSE_JOB]
    assert "too little is left to start a machine for a few tiles, about 0.28 USD" in paused.reason
    assert cloud.vms == {}
    unlimited = replace(cloud.snapshot(), jobs=(job, EIRE))
    assert Verb.CREATE in [action.verb for action in decide(unlimited, Memory(), cloud.policy).actions]
    unpriced = decide(replace(cloud.snapshot(), usd_per_hour={}), Memory(), cloud.policy)
    assert Verb.PAUSE_JOB not in [action.verb for action in unpriced.actions], "a guess pauses nothing"
