"""How often the laptop's Resource Manager may be asked: per machine, per subscription, at the front door."""

from __future__ import annotations

import json

import pytest

from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.problems import Problem
from laptop_cloud.resource_manager.throttle import Group, Throttle
from tests.unit.laptop_cloud.azure_examples import example


class Hand:
    seconds = 1_000_000.0


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def throttle(hand):
    return Throttle(CloudClock(wall=lambda: hand.seconds))


def start(throttle, vm="a-0001"):
    return throttle.admit("writes", "westeurope", Group.UPDATE, vm)


def test_twelve_starts_of_a_machine_in_a_burst_then_four_per_minute(throttle, hand):
    for _ in range(12):
        start(throttle)
    with pytest.raises(Problem) as problem:
        start(throttle)
    assert (problem.value.status, problem.value.wait) == (429, 60)
    start(throttle, "a-0002")
    hand.seconds += 60
    for _ in range(4):
        start(throttle)
    with pytest.raises(Problem):
        start(throttle)


def test_a_refused_request_takes_no_token_from_anybody(throttle):
    for _ in range(12):
        start(throttle)
    left = start(throttle, "a-0002")
    for _ in range(5):
        with pytest.raises(Problem):
            start(throttle)
    after = start(throttle, "a-0002")
    assert [int(value.rpartition(";")[2]) - 1 for _, value in left] == [
        int(value.rpartition(";")[2]) for _, value in after
    ]


def test_the_headers_say_what_is_left(throttle):
    assert start(throttle) == [
        ("x-ms-ratelimit-remaining-subscription-writes", "199"),
        ("x-ms-ratelimit-remaining-resource", "Microsoft.Compute/UpdateVMSubscriptionMaximum;1499"),
        ("x-ms-ratelimit-remaining-resource", "Microsoft.Compute/UpdateVMResource;11"),
    ]


def test_the_front_door_closes_for_a_second_after_two_hundred_writes(throttle, hand):
    for number in range(200):
        start(throttle, f"a-{number:04d}")
    with pytest.raises(Problem) as problem:
        start(throttle, "b-0001")
    assert (problem.value.code, problem.value.wait) == ("SubscriptionRequestsThrottled", 1)
    hand.seconds += 1
    start(throttle, "b-0001")


def test_other_regions_have_buckets_of_their_own(throttle):
    for number in range(200):
        start(throttle, f"a-{number:04d}")
    throttle.admit("writes", "uksouth", Group.UPDATE, "c-0001")


def test_all_is_refused_while_the_door_is_kept_shut_and_the_wait_is_the_clients(hand):
    throttle = Throttle(CloudClock(10, wall=lambda: hand.seconds))
    throttle.close(600)
    with pytest.raises(Problem) as problem:
        throttle.admit("reads", "", Group.LIST, "")
    assert problem.value.wait == 60
    hand.seconds += 60
    throttle.admit("reads", "", Group.LIST, "")


def test_a_refusal_has_the_shape_of_azures_example(throttle):
    wanted = example("throttled_429.json")["body"]
    throttle.close(1200)
    with pytest.raises(Problem) as problem:
        throttle.admit("reads", "", Group.LIST, "")
    got = problem.value.body
    assert got.keys() == wanted.keys()
    assert (got["code"], got["message"]) == (wanted["code"], wanted["message"])
    assert got["details"][0].keys() == wanted["details"][0].keys()
    assert got["details"][0]["code"] == wanted["details"][0]["code"]
    assert (
        json.loads(got["details"][0]["message"]).keys() == json.loads(wanted["details"][0]["message"]).keys()
    )
