"""How many calls a tick makes: by buckets that mirror the interface's own, and by what its answers say is left."""

from __future__ import annotations

import pytest

from fleetctl.cloud.machines import RateLeft, Refusal, Refused
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.listing_pause import ListingPause
from fleetctl.controller.pace import DELETES, PER_VM, WRITES, Buckets, after_answers, paced, throttled

TICK = 15.0


def starts(count: int) -> list[Action]:
    return [Action(Verb.START, f"uk-a10-{number:04d}", "wanted") for number in range(count)]


def test_a_burst_goes_through_at_once_and_the_rest_as_the_bucket_fills():
    burst = paced(starts(500), Buckets(0.0), 0.0)
    assert (len(burst.now), len(burst.later)) == (WRITES.most, 500 - WRITES.most)
    after = paced(burst.later, burst.buckets, TICK)
    assert len(after.now) == TICK * WRITES.per_second
    assert [*burst.now, *after.now, *after.later] == starts(500), "in order, none lost"


def test_one_machine_takes_no_more_than_its_share():
    same = [Action(Verb.DEALLOCATE, "uk-a10-0001", "again")] * 20
    first = paced(same, Buckets(0.0), 0.0)
    assert len(first.now) == PER_VM.most
    assert len(paced(first.later, first.buckets, 60.0).now) == 4


def test_deletes_have_a_bucket_of_their_own_and_what_is_no_call_always_passes():
    empty = paced(starts(500), Buckets(0.0), 0.0).buckets
    deletes = [Action(Verb.DELETE, f"uk-t4-{number:04d}", "idle") for number in range(300)]
    alert = Action(Verb.ALERT, "source-outage", "why")
    taken = paced([*deletes, alert], empty, 0.0)
    assert len(taken.now) == DELETES.most + 1
    assert alert in taken.now


def test_answers_lower_what_we_believe_to_have_and_leave_some_for_others():
    told = after_answers(Buckets(0.0), RateLeft(writes=50))
    assert len(paced(starts(100), told, 0.0).now) == 40


def test_an_answer_that_nothing_is_left_stops_calls_for_a_while_and_not_for_ever():
    buckets = after_answers(Buckets(0.0), RateLeft(writes=0))
    first = paced(starts(10), buckets, 0.0)
    assert first.now == ()
    later = after_answers(first.buckets, RateLeft(writes=0))
    assert len(paced(first.later, later, TICK).now) == 10


def test_a_refusal_closes_the_interface_for_as_long_as_it_says():
    closed = throttled(Buckets(0.0), 0.0, 120.0)
    assert paced(starts(5), closed, 119.0).now == ()
    assert len(paced(starts(5), closed, 120.0).now) == 5
    assert throttled(closed, 10.0, None).closed_until == 120.0


class Throttled:
    """Machines that cannot be listed for a while."""

    listings = 0

    def list_states(self):
        self.listings += 1
        raise Refused(Refusal.THROTTLED, "TooManyRequests", "too many requests", retry_after_seconds=120.0)


def test_the_machines_are_not_listed_again_before_the_interface_said_so():
    now, machines = [0.0], Throttled()
    pause = ListingPause(clock=lambda: now[0])
    for at in (0.0, TICK, 119.0, 121.0):
        now[0] = at
        with pytest.raises(Refused) as refusal:
            pause.list_by_name(machines)
        assert refusal.value.kind is Refusal.THROTTLED
    assert machines.listings == 2
