"""The comparison of machines: the first seed document's numbers, what measuring changes, and what comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetctl.controller.memory import Spend
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import Quota
from fleetctl.money.calibrations import Calibration
from fleetctl.money.compare import Order, compare, unknown_offers
from fleetctl.money.figures import Basis, assumed, measured
from fleetctl.money.first_figures import first_figures
from fleetctl.money.knowledge import Knowledge

A10, SIXTH, AMX, T4 = sizes = (
    "Standard_NV36ads_A10_v5",
    "Standard_NV6ads_A10_v5",
    "Standard_D16s_v6",
    "Standard_NC8as_T4_v3",
)
OFFERS = [Offer("eastus", size, Priority.SPOT) for size in sizes]


def shipped() -> Knowledge:
    first = first_figures()
    both = [Offer("eastus", size, priority) for size in sizes for priority in Priority]
    return Knowledge(first=first, prices={offer: first.usd_per_hour(offer) for offer in both})


def calibration(size=A10, region="eastus", **changes) -> Calibration:
    base = Calibration(
        size, region, "spot", "grid_-2.25_53.45", 240.0, 200.0, 130.0, 0.6, "2026-11-20T00:00:00Z"
    )
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("size", "usd_per_tile", "tiles_per_hour_of_350_vcpus"),
    [(A10, 0.0437, 122), (SIXTH, 0.0359, 136), (AMX, 0.0800, 48), (T4, 0.1253, 100)],
)
def test_the_seed_documents_arithmetic(size, usd_per_tile, tiles_per_hour_of_350_vcpus):
    rows = {row.offer.size: row for row in compare(OFFERS, shipped(), Order.COST)}
    assert round(rows[size].usd_per_tile.value, 4) == usd_per_tile
    assert round(rows[size].tiles_per_hour_region.value) == tiles_per_hour_of_350_vcpus
    assert rows[size].usd_per_tile.basis is Basis.ASSUMED


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.COST, [SIXTH, A10, AMX, T4]),
        (Order.RATE_PER_QUOTA, [SIXTH, A10, T4, AMX]),
        (Order.FINISH, [SIXTH, A10, T4, AMX]),
    ],
)
def test_what_comes_first(order, expected):
    assert [row.offer.size for row in compare(OFFERS, shipped(), order)] == expected


def test_one_spot_machine_more_may_be_worth_more_than_a_faster_size():
    quotas = {"eastus": Quota(71, 0)}
    rows = compare(OFFERS[:2], replace(shipped(), quotas=quotas), Order.FINISH)
    assert [(row.offer.size, row.vms.value) for row in rows] == [(SIXTH, 11), (A10, 1)]
    assert rows[0].vms.basis is Basis.MEASURED


def test_a_calibration_counts_more_than_the_table_and_one_of_another_region_more_than_none():
    known = replace(shipped(), calibrations={(A10, "westeurope"): calibration(region="westeurope")})
    (row,) = compare(OFFERS[:1], known, Order.COST)
    assert (row.tiles_per_hour.value, row.tiles_per_hour.basis) == (18.0, Basis.MEASURED)
    assert "westeurope" in row.tiles_per_hour.source
    here = {**known.calibrations, (A10, "eastus"): calibration(cube_seconds=100.0)}
    (row,) = compare(OFFERS[:1], replace(known, calibrations=here), Order.COST)
    assert row.tiles_per_hour.value == 36.0


def test_a_derived_figure_is_measured_only_where_all_its_parts_are():
    known = replace(shipped(), calibrations={(A10, "eastus"): calibration()})
    (row,) = compare(OFFERS[:1], known, Order.COST)
    assert row.usd_per_tile.basis is Basis.ASSUMED
    prices = {**known.prices, OFFERS[0]: measured(0.6, "price list of today")}
    (row,) = compare(OFFERS[:1], replace(known, prices=prices), Order.COST)
    assert row.usd_per_tile.basis is Basis.MEASURED
    assert row.usd_per_tile.source == "price list of today; calibrated in eastus on 2026-11-20"


def test_a_fleets_own_evictions_count_once_they_say_something():
    offer = OFFERS[0]
    few = Spend(vm_hours={str(offer): 10.0}, evictions={str(offer): 5})
    many = Spend(vm_hours={str(offer): 1000.0}, evictions={str(offer): 5})
    rates = [replace(shipped(), spend=spend).evictions_per_vm_hour(offer) for spend in (few, many)]
    assert rates[0].basis is Basis.ASSUMED
    assert (rates[1].value, rates[1].basis) == (0.005, Basis.MEASURED)


def test_seventy_percent_off_is_worth_more_than_twice_also_with_many_evictions():
    prices = {OFFERS[0]: assumed(0.3, ""), Offer("eastus", A10, Priority.REGULAR): assumed(1.0, "")}
    often = Spend(vm_hours={str(OFFERS[0]): 1000.0}, evictions={str(OFFERS[0]): 72})
    (row,) = compare(OFFERS[:1], replace(shipped(), prices=prices, spend=often), Order.COST)
    assert 3.2 < row.value_ratio.value < 3.34


def test_a_size_that_nobody_knows_is_named_and_not_guessed():
    unknown = Offer("eastus", "Standard_D2s_v5", Priority.SPOT)
    rows = compare([*OFFERS, unknown], shipped(), Order.COST)
    assert unknown_offers([*OFFERS, unknown], rows) == [unknown]


def test_without_the_regular_price_there_is_no_value_ratio():
    spot_only = {offer: figure for offer, figure in shipped().prices.items() if offer in OFFERS}
    (row,) = compare(OFFERS[:1], replace(shipped(), prices=spot_only), Order.COST)
    assert row.value_ratio is None
    assert row.as_json()["value_ratio"] is None
