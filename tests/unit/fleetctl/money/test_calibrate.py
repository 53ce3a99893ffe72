"""A calibration measures, stays within its money, and leaves no machine behind, however it ends."""

from __future__ import annotations

import pytest

from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.errors import BadInput, StorageUnavailable
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller.snapshot import Power
from fleetctl.money.calibrate import Measured, StillThere
from fleetctl.money.calibrations import keep_calibration, made_of, read_calibrations
from tests.unit.fleetctl.money.fake_machines import FakeCloud, Killed, calibration, pairs, sold_out


def test_each_pair_is_measured_once_with_download_and_once_without_and_all_machines_are_gone():
    cloud = FakeCloud()
    outcomes = calibration(cloud)[0].run(pairs())
    assert [outcome.measured for outcome in outcomes] == [Measured(240.0, 300.0, 200.0)] * 2
    assert not cloud.vms
    assert sorted(cloud.cleared) == ["uk-cal-pair-0001", "uk-cal-pair-0002"]
    assert cloud.paid_usd <= sum(outcome.usd for outcome in outcomes) <= 3.0


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("moment", [1, 5, 20, 40])
def test_whatever_ends_it_no_machine_is_left(error, moment):
    cloud = FakeCloud()

    def interrupt(number: int) -> None:
        if number == moment:
            raise error

    cloud.at_wait = interrupt
    with pytest.raises(error):
        calibration(cloud)[0].run(pairs())
    assert not cloud.vms


def test_machines_of_a_calibration_that_was_killed_are_named_and_removed_by_the_next():
    cloud = FakeCloud()
    first, _ = calibration(cloud)

    def kill(number: int) -> None:
        if number >= 5:
            raise Killed

    cloud.at_wait = kill
    cloud.delete = lambda _name: None  # a dead process deletes nothing
    with pytest.raises(Killed):
        first.run(pairs())
    assert len(cloud.vms) == 2
    del cloud.delete
    cloud.at_wait = lambda _number: None
    again, said = calibration(cloud)
    assert again.remove_leftovers() == ["uk-cal-pair-0001", "uk-cal-pair-0002"]
    assert not cloud.vms
    assert "uk-cal-pair-0001, uk-cal-pair-0002" in said[0]


def test_it_stops_below_its_money_and_says_which_pairs_it_did_not_measure():
    cloud = FakeCloud(usd_per_hour=6.0)
    outcomes = calibration(cloud, most_usd=1.5)[0].run(pairs(3, usd_per_hour=6.0))
    assert not cloud.vms
    assert cloud.paid_usd <= 1.5
    assert sum(outcome.usd for outcome in outcomes) <= 1.5 * 1.05
    assert [outcome.measured for outcome in outcomes] == [None] * 3
    assert outcomes[-1].reason == "the money did not allow for it"
    assert outcomes[-1].usd == 0
    assert "1.50 USD are spent" in outcomes[0].reason


def test_a_refused_pair_does_not_stop_the_others():
    cloud = FakeCloud()
    runs, said = calibration(cloud)
    create = cloud.create

    def create_all_but_one(vm):
        if vm.name.endswith("1"):
            raise sold_out()
        create(vm)

    cloud.create = create_all_but_one
    first, second = runs.run(pairs())
    assert (first.measured, second.measured) == (None, Measured(240.0, 300.0, 200.0))
    assert "sold out" in first.reason
    assert any("sold out" in line for line in said)


def test_an_evicted_machine_ends_its_pair_and_is_removed():
    cloud = FakeCloud()
    cloud.at_wait = lambda number: (
        cloud.set_power("uk-cal-pair-0001", Power.DEALLOCATED) if number == 10 else None
    )
    first, second = calibration(cloud)[0].run(pairs())
    assert "evicted" in first.reason
    assert second.measured is not None
    assert not cloud.vms


def test_a_machine_that_never_reports_is_given_up():
    cloud = FakeCloud(boot_seconds=1e9)
    (outcome,) = calibration(cloud, most_usd=50.0)[0].run(pairs(1))
    assert "boot took too long" in outcome.reason
    assert not cloud.vms


def test_a_listing_that_fails_for_a_while_is_waited_out():
    cloud = FakeCloud()
    refused = Refused(Refusal.TROUBLE, "", "no answer")
    cloud.at_wait = lambda number: (
        cloud.refusals.update(list=refused) if 5 <= number < 9 else cloud.refusals.clear()
    )
    outcomes = calibration(cloud)[0].run(pairs())
    assert all(outcome.measured for outcome in outcomes)


def test_blobs_that_cannot_be_cleared_cost_no_measurement():
    cloud = FakeCloud()

    def away(_pair) -> None:
        raise StorageUnavailable("away")

    cloud.clear = away
    assert calibration(cloud)[0].run(pairs(1))[0].measured is not None


def test_machines_that_cannot_be_removed_are_named_loudly():
    cloud = FakeCloud()
    cloud.refusals["delete"] = Refused(Refusal.NOT_ALLOWED, "AuthorizationFailed", "no role")
    with pytest.raises(StillThere, match=r"uk-cal-pair-0001 could not be removed and cost money"):
        calibration(cloud)[0].run(pairs(1))


def test_what_was_measured_is_kept_for_prices_and_estimate():
    store = SimulatedBlobStore(SimulatedContainer(lambda: 1_700_000_000.0))
    (outcome,) = calibration(FakeCloud())[0].run(pairs(1))
    keep_calibration(store, made_of(outcome, "grid_-2.25_53.45", "2026-11-20T00:00:00+00:00"))
    kept = read_calibrations(store)["Standard_D16s_v6", "region0"]
    assert (kept.cube_seconds, kept.download_seconds, kept.boot_seconds) == (200.0, 100.0, 240.0)
    assert kept.usd_per_tile == pytest.approx(200 * 0.6 / 3600)


@pytest.mark.parametrize("data", [b"{}", b'{"v":1}', b"[]", b'{"v":2}'])
def test_a_damaged_calibration_is_named(data):
    store = SimulatedBlobStore(SimulatedContainer(lambda: 1_700_000_000.0))
    store.put("calibration/A/b.json", data)
    with pytest.raises(BadInput, match=r"calibration/A/b\.json"):
        read_calibrations(store)
