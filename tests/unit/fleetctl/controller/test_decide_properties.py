"""What `decide` promises for whatever it may see and remember."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings

from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.memory import Intent, Memory
from fleetctl.controller.memory_codec import decode_memory, encode_memory
from fleetctl.controller.policy import Policy, Pool
from fleetctl.controller.rules.carry_out import BUSY
from fleetctl.controller.snapshot import Power, Quota, Snapshot
from tests.unit.fleetctl.controller.any_view import memories, policies, views

pytestmark = pytest.mark.slow

CALLS = frozenset({Verb.CREATE, Verb.START, Verb.DEALLOCATE, Verb.DELETE, Verb.DRAIN})
ENDS = frozenset({Verb.DEALLOCATE, Verb.DELETE})
EXAMPLES = settings(max_examples=60)


def of_verbs(actions: tuple[Action, ...], verbs: frozenset[Verb]) -> list[Action]:
    return [action for action in actions if action.verb in verbs]


@EXAMPLES
@given(views, memories, policies)
def test_it_always_answers_and_always_the_same(seen: Snapshot, memory: Memory, policy: Policy):
    before = copy.deepcopy((seen, memory, policy))
    decision = decide(seen, memory, policy)
    assert (seen, memory, policy) == before
    assert decide(seen, memory, policy) == decision
    assert all(action.reason and action.target for action in decision.actions)


@EXAMPLES
@given(views, memories, policies)
def test_what_it_remembers_survives_being_written(seen: Snapshot, memory: Memory, policy: Policy):
    after = decide(seen, memory, policy).memory
    assert decode_memory(encode_memory(after)) == after


@EXAMPLES
@given(views, memories, policies)
def test_a_machine_gets_one_call_in_a_tick_and_none_while_it_changes(
    seen: Snapshot, memory: Memory, policy: Policy
):
    calls = Counter(action.target for action in of_verbs(decide(seen, memory, policy).actions, CALLS))
    assert all(count == 1 for count in calls.values())
    for name in calls:
        assert seen.vms is not None
        assert name not in seen.vms or seen.vms[name].power not in BUSY


@EXAMPLES
@given(views, memories, policies)
def test_a_machine_that_holds_a_tile_is_ended_only_for_money_or_after_its_time_to_drain(
    seen: Snapshot, memory: Memory, policy: Policy
):
    limits = policy.limits
    has_limit = limits.usd is not None or limits.usd_per_day is not None
    for action in of_verbs(decide(seen, memory, policy).actions, ENDS):
        before = memory.vms.get(action.target)
        held = sum(w.held for w in seen.workers or () if w.vm == action.target and w.age_seconds <= 180)
        if seen.vms is None or not held or seen.vms[action.target].power is not Power.RUNNING:
            continue
        assert before is not None
        had_time = before.intent in (Intent.REHOST, Intent.PARK, Intent.QUARANTINE)
        waited = seen.now - before.since > 2 * (seen.tile_seconds or policy.patience.idle_grace)
        assert has_limit or (had_time and waited)


@EXAMPLES
@given(views, memories, policies)
def test_nothing_is_created_beyond_quota_limits_or_a_name_that_is_taken(
    seen: Snapshot, memory: Memory, policy: Policy
):
    created = [a.target for a in decide(seen, memory, policy).actions if a.verb is Verb.CREATE]
    assert len(set(created)) == len(created)
    assert not set(created) & set(seen.vms or {})
    if not created:
        return
    assert len({*created, *(seen.vms or {})} - {"stranger"}) <= policy.limits.vms or not created
    pools = [pool for name in created if (pool := policy.pool(name.split("-")[1]))]
    for pool in pools:
        assert sum(of_pool(pool, name) for name in {*created, *(seen.vms or {})}) <= pool.max_vms
        region = pool.offer.region
        quota = {**seen.spot_quota, **seen.regular_quota}.get(region, Quota(0, 0))
        asked = sum(p.vcpus for p in pools if p.offer.region == region)
        assert quota.used + asked <= quota.limit


def of_pool(pool: Pool, name: str) -> bool:
    return name.startswith(f"uk-{pool.name}-")


@EXAMPLES
@given(views, memories, policies)
def test_without_a_complete_view_nothing_starts_and_nobody_is_blamed(
    seen: Snapshot, memory: Memory, policy: Policy
):
    for part in ("vms", "workers", "queues", "jobs"):
        decision = decide(replace(seen, **{part: None}), memory, policy)
        verbs = {action.verb for action in decision.actions}
        assert not verbs & {Verb.CREATE, Verb.START, Verb.FINISH_JOB, Verb.DELETE_LEAK, Verb.FORGET_WORKER}
        if part == "vms":
            assert not decision.actions
        if part == "workers":
            assert Verb.RECORD_EVICTION not in verbs
            for name, record in decision.memory.vms.items():
                before = memory.vms.get(name)
                is_new = before is None or before.intent is not record.intent
                assert not (is_new and record.intent is Intent.PARK)


@EXAMPLES
@given(views, memories, policies)
def test_a_second_look_at_the_same_moment_repeats_no_call(seen: Snapshot, memory: Memory, policy: Policy):
    first = decide(seen, memory, policy)
    second = decide(seen, first.memory, policy)
    started = {a.target for a in first.actions if a.verb in (Verb.START, Verb.CREATE)}
    again = {a.target for a in second.actions if a.verb in (Verb.START, Verb.CREATE)}
    assert not started & again
