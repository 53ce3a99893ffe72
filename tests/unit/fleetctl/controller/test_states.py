"""Every power state with every provisioning state and every intent: what is called, and what never is."""

from __future__ import annotations

import pytest

from fleetctl.controller.actions import Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.memory import Intent, Memory, VmMemory
from fleetctl.controller.snapshot import Power, QueuesSeen, Quota, Snapshot, VmSeen
from tests.unit.fleetctl.controller.toy_cloud import OFFER, policy

NOW = 1_000_000.0
NAME = "uk-a10-0001"
PROVISIONING = ("succeeded", "failed", "creating", "updating", "deleting", "migrating", "", "of a later year")
CALLS = frozenset({Verb.CREATE, Verb.START, Verb.DEALLOCATE, Verb.DELETE, Verb.DRAIN})

EXPECTED = {
    Intent.RUN: {Power.DEALLOCATED: Verb.START},
    Intent.REHOST: {
        Power.RUNNING: Verb.DEALLOCATE,
        Power.STOPPED: Verb.DEALLOCATE,
        Power.DEALLOCATED: Verb.START,
    },
    Intent.DRAIN: {Power.STOPPED: Verb.DELETE, Power.DEALLOCATED: Verb.DELETE},
    Intent.PARK: {Power.RUNNING: Verb.DEALLOCATE, Power.STOPPED: Verb.DEALLOCATE},
    Intent.QUARANTINE: {Power.RUNNING: Verb.DEALLOCATE, Power.STOPPED: Verb.DEALLOCATE},
    Intent.RELEASE: {
        Power.RUNNING: Verb.DELETE,
        Power.STOPPED: Verb.DELETE,
        Power.DEALLOCATED: Verb.DELETE,
        Power.UNKNOWN: Verb.DELETE,
    },
}
"""Over two ticks, while one tile waits. Everything that is not here: no call."""
DRAINED = {(Verb.DRAIN, NAME), (Verb.DELETE, NAME)}
"""A running machine without a worker is asked to leave, and has left by the next tick."""


def calls_in_two_ticks(power: Power, provisioning: str, intent: Intent) -> set[tuple[Verb, str]]:
    memory = Memory(vms={NAME: VmMemory(intent, "because", NOW - 1000)})
    called: set[tuple[Verb, str]] = set()
    for tick in range(2):
        seen = Snapshot(
            now=NOW + 15 * tick,
            vms={NAME: VmSeen(NAME, "a10", OFFER, power, provisioning)},
            workers=(),
            queues=QueuesSeen(1, 0, 0, 0),
            jobs=(),
            spot_quota={"westeurope": Quota(36, 36)},
        )
        decision = decide(seen, memory, policy(most=1))
        memory = decision.memory
        called |= {(action.verb, action.target) for action in decision.actions if action.verb in CALLS}
    return called


@pytest.mark.parametrize("intent", Intent)
@pytest.mark.parametrize("power", Power)
def test_each_state_has_its_call_whatever_provisioning_says(power: Power, intent: Intent):
    one = EXPECTED[intent].get(power)
    expected = (
        DRAINED if (power, intent) == (Power.RUNNING, Intent.DRAIN) else {(one, NAME)} if one else set()
    )
    for provisioning in PROVISIONING:
        if (power, provisioning, intent) == (Power.UNKNOWN, "failed", Intent.RUN):
            continue  # never made: released
        called = calls_in_two_ticks(power, provisioning, intent)
        assert called == expected, provisioning


def test_a_machine_whose_creation_failed_behind_our_back_is_released():
    assert calls_in_two_ticks(Power.UNKNOWN, "failed", Intent.RUN) == {(Verb.DELETE, NAME)}


def test_a_machine_that_nobody_remembers_and_whose_name_is_not_ours_is_left_alone():
    seen = Snapshot(
        now=NOW,
        vms={"web-server": VmSeen("web-server", "", OFFER, Power.RUNNING)},
        workers=(),
        queues=QueuesSeen(0, 0, 0, 0),
        jobs=(),
    )
    assert decide(seen, Memory(), policy()).actions == ()
