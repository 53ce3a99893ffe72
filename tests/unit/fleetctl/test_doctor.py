"""Each check fails by itself and names what mends it; four sets of signs give the four verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contract.errors import NotAllowed, NotFound
from contract.fleet import Fleet
from contract.heartbeat import Heartbeat, HeldTile, WorkerState, write_heartbeat
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.cloud.permissions import Permission, is_action_allowed
from fleetctl.doctor.balance import CHANGES, Balance, Signs, judge, signs_of
from fleetctl.doctor.findings import Check, Unwell, examine
from fleetctl.doctor.storage_checks import storage_checks
from tests.unit.fleetctl.control_rig import ControlRig

FLEET = Fleet("fleet", "azure", "westeurope", "https://q", "https://b", "tilefleet")
WRITE = "Microsoft.Compute/virtualMachines/write"


def raising(error):
    def look():
        raise error

    return look


def beat(*, ready=0, gpu=95.0, state=WorkerState.WORKING):
    since = "2026-01-01T00:00:00+00:00"
    tiles = tuple(HeldTile("d", f"grid_{n}.05_50.05", "ready", 0.0, since) for n in range(ready))
    held = (*tiles, HeldTile("d", "grid_9.05_50.05", "infer", 0.5, since))
    return Heartbeat("w", "vm", "b", since, state, held, len(held), 20.0, 1, gpu, 0)


def test_one_bad_check_keeps_no_other_from_being_made():
    findings = examine(
        [
            Check("a", raising(Unwell("it is off", "mend it"))),
            Check("b", raising(Refused(Refusal.NOT_ALLOWED, "401", "sign in", mend="az login")), "other"),
            Check("c", raising(NotAllowed("reading x: 403"))),
            Check("d", raising(NotFound("no queue")), "fleetctl up"),
            Check("e", lambda: "well"),
        ]
    )
    assert [finding.is_well for finding in findings] == [False, False, False, False, True]
    assert [finding.mend for finding in findings] == ["mend it", "az login", "az login", "fleetctl up", ""]


@pytest.mark.parametrize(
    ("ready", "gpu", "done", "verdict"),
    [
        (4, 99.0, 50, Balance.OVERLOADED),
        (4, 99.0, 99, Balance.CROWDED),
        (0, 8.0, 100, Balance.STARVED),
        (1, 95.0, 100, Balance.BALANCED),
        (0, 8.0, 50, Balance.UNCLEAR),
    ],
)
def test_four_sets_of_signs_give_the_four_verdicts_and_errors_on_idle_gpus_none(ready, gpu, done, verdict):
    live = [beat(ready=ready, gpu=gpu) for _ in range(3)]
    assert judge(signs_of(live, attempts=100, done=done)) is verdict


def test_verdicts_that_call_for_something_say_what_to_change():
    assert set(CHANGES) == {Balance.OVERLOADED, Balance.CROWDED, Balance.STARVED}
    assert all("MOST_TILES" in change for change in CHANGES.values())


def test_too_little_says_nothing():
    assert (
        judge(Signs(workers=3, attempts=2, error_share=0, ready_per_worker=0, busy_percent=0))
        is Balance.UNCLEAR
    )
    assert judge(signs_of([], attempts=100, done=100)) is Balance.UNCLEAR


@pytest.mark.parametrize(
    ("grants", "allowed"),
    [
        ([{"actions": ["*"], "notActions": []}], True),
        ([{"actions": ["Microsoft.Compute/*"], "notActions": []}], True),
        ([{"actions": ["microsoft.compute/virtualmachines/*"]}], True),
        ([{"actions": ["*/read"]}], False),
        ([{"actions": ["*"], "notActions": ["Microsoft.Compute/*/write"]}], False),
        ([], False),
    ],
)
def test_a_permission_is_read_with_its_stars_and_its_exceptions(grants, allowed):
    assert is_action_allowed(WRITE, grants) is allowed


def test_a_missing_role_is_mended_by_the_command_that_gives_it():
    command = Permission(WRITE, "/subscriptions/s/resourceGroups/uk", "machines").command
    assert '--role "Virtual Machine Contributor" --scope /subscriptions/s/resourceGroups/uk' in command


def checks(rig, clock=None):
    found = storage_checks(FLEET, rig.store, rig.queues, clock or rig.store.now)
    return {finding.check: finding for finding in examine(found)}


def test_a_wrong_clock_is_told_with_its_error():
    found = checks(ControlRig(), clock=lambda: datetime.fromtimestamp(0, UTC))["clock"]
    assert not found.is_well
    assert found.mend == "timedatectl set-ntp true"
    near = ControlRig()
    assert checks(near, clock=lambda: near.store.now() + timedelta(seconds=3))["clock"].is_well


def test_workers_without_a_controller_are_told_and_an_idle_fleet_needs_none():
    rig = ControlRig()
    assert checks(rig)["controller"].is_well
    write_heartbeat(rig.store, beat())
    found = checks(rig)["controller"]
    assert (found.is_well, found.mend) == (False, "fleetctl watch")


def test_the_trial_leaves_nothing_behind():
    rig = ControlRig()
    assert checks(rig)["container tilefleet"].is_well
    assert "control/doctor" not in list(rig.store.names("control/"))
