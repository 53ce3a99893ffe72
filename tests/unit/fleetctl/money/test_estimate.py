"""Estimates: yes, no or tight; dollars by part; the cheapest change; and a fleet file that meets it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contract.errors import BadInput
from contract.fleet import read_fleet_file
from fleetctl.commands.estimate import _write
from fleetctl.controller.memory import Spend
from fleetctl.controller.policy import Offer, Priority, Route
from fleetctl.controller.snapshot import Quota
from fleetctl.fleet_file import read_operator_file
from fleetctl.money.estimate import Choices, Verdict, Wish, answer, cheapest_change, judge
from fleetctl.money.estimate_table import estimate_json, headline
from fleetctl.money.figures import Basis, measured
from fleetctl.money.first_figures import first_figures
from fleetctl.money.fleet_draft import FILL_IN, fleet_text, known_addresses, least_budget, placeholders
from fleetctl.money.forecast import PoolPlan, World, forecast
from fleetctl.money.knowledge import Knowledge
from fleetctl.money.tile_count import count_years

A10 = "Standard_NV36ads_A10_v5"
REGIONS = ("eastus", "westeurope", "uksouth", "swedencentral")
UK = 4028
CALM = World(least_granted=measured(0.999, "a calm day"))


def shipped() -> Knowledge:
    first = first_figures()
    offers = [Offer(r, s, priority) for r in REGIONS for s in first.sizes for priority in Priority]
    return Knowledge(first=first, prices={offer: first.usd_per_hour(offer) for offer in offers})


def certain(rate: float = 0.0) -> Knowledge:
    """Everything about the A10 measured, evictions at this rate."""
    known = shipped()
    offers = [Offer(region, A10, Priority.SPOT) for region in REGIONS]
    return replace(
        known,
        prices={offer: measured(0.591, "list") for offer in offers},
        job_seconds={A10: measured(266.0, "a canary")},
        quotas={region: Quota(350, 0) for region in REGIONS},
        spend=Spend(
            vm_hours={str(offer): 1e6 for offer in offers},
            evictions={str(offer): int(rate * 1e6) for offer in offers},
        ),
    )


def choices(sizes=(A10,), more=REGIONS[1:]) -> Choices:
    return Choices(REGIONS[:1], tuple(sizes), more)


def test_without_surprises_it_is_the_arithmetic_of_the_table():
    made = forecast(
        UK, [PoolPlan(Offer("eastus", A10, Priority.SPOT), 9)], certain(), CALM, home="eastus", seed=1
    )
    assert np.median(made.hours) == pytest.approx(UK / 121.8, rel=0.03)
    assert np.median(made.parts["compute"]) == pytest.approx(UK * 0.0437, rel=0.02)
    assert np.max(made.parts["evicted"]) == 0
    assert np.max(made.parts["network"]) == 0
    assert made.storage_usd_per_month == pytest.approx(UK * 0.11 * 0.0184)


@pytest.mark.parametrize("rate", [0.001, 0.072, 0.4])
def test_evictions_cost_half_a_tile_and_a_boot_each(rate):
    pool = [PoolPlan(Offer("eastus", A10, Priority.SPOT), 9)]
    made = forecast(UK, pool, certain(rate), CALM, home="eastus", seed=1)
    busy_hours = UK * 266 / 3600
    assert np.median(made.parts["evicted"]) == pytest.approx(busy_hours * rate * 133 / 3600 * 0.591, rel=0.1)


@pytest.mark.parametrize(("home", "usd_per_gb"), [("uksouth", 0.02), ("eastus", 0.05), ("westeurope", 0.0)])
def test_pools_away_from_the_storage_pay_for_traffic_and_more_on_another_continent(home, usd_per_gb):
    pool = [PoolPlan(Offer("westeurope", A10, Priority.SPOT), 9)]
    made = forecast(UK, pool, certain(), CALM, home=home, seed=1)
    assert np.median(made.parts["network"]) == pytest.approx(UK * 0.11 * usd_per_gb)


def test_a_price_of_the_list_counts_more_than_the_shipped_one():
    route = Route("westeurope", "eastus")
    known = replace(certain(), traffic={route: measured(0.03, "price list of today")})
    pool = [PoolPlan(Offer("westeurope", A10, Priority.SPOT), 9)]
    made = forecast(UK, pool, known, CALM, home="eastus", seed=1)
    assert np.median(made.parts["network"]) == pytest.approx(UK * 0.11 * 0.03)


def test_the_same_question_has_the_same_answer():
    first, second = (answer(Wish(UK, 48, 250), choices(), shipped(), World()) for _ in range(2))
    assert headline(first) == headline(second)


def test_what_is_measured_narrows_the_answer():
    wide, narrow = (answer(Wish(UK, None, None), choices(), known, CALM) for known in (shipped(), certain()))
    assert narrow.usd(90) / narrow.usd(50) < wide.usd(90) / wide.usd(50)


@pytest.mark.parametrize(
    ("hours", "usd", "verdict"),
    [
        (None, None, Verdict.YES),
        (60, 250, Verdict.YES),
        (60, 183, Verdict.TIGHT),
        (60, 150, Verdict.NO),
        (34, 250, Verdict.TIGHT),
        (20, 250, Verdict.NO),
    ],
)
def test_yes_no_and_tight(hours, usd, verdict):
    assert answer(Wish(UK, hours, usd), choices(), certain(0.02), CALM).verdict is verdict


def test_too_little_money_is_mended_by_a_larger_budget_and_nothing_else():
    best = answer(Wish(UK, 60, 150), choices(), certain(), CALM)
    change = cheapest_change(best, choices(), certain(), CALM)
    assert change.words == "a budget of 210 USD"
    assert change.answer.verdict is Verdict.YES


def test_too_little_time_is_mended_by_more_regions_or_by_a_later_date_whichever_is_cheaper():
    best = answer(Wish(UK, 20, 250), choices(), certain(), CALM)
    change = cheapest_change(best, choices(), certain(), CALM)
    assert change.answer.verdict is Verdict.YES
    assert change.words.endswith("hours of time")
    dear = replace(CALM, controller_usd_per_hour=measured(5.0, "whoever watches is paid by the hour"))
    best = answer(Wish(UK, 20, None), choices(more=REGIONS[1:2]), certain(), dear)
    assert (
        cheapest_change(best, choices(more=REGIONS[1:2]), certain(), dear).words
        == "machines in westeurope as well"
    )


def test_both_too_little_is_mended_by_both():
    best = answer(Wish(UK, 20, 100), choices(more=()), certain(), CALM)
    change = cheapest_change(best, choices(more=()), certain(), CALM)
    assert "a budget of" in change.words
    assert "hours of time" in change.words


def test_what_is_proposed_for_both_holds_for_both_together():
    """A dear world need not be a slow one: p90 of each alone is kept to in fewer than nine of ten."""
    alone = choices(more=())
    best = answer(Wish(UK, 20, 100), alone, shipped(), World())
    change = cheapest_change(best, alone, shipped(), World())
    assert change is not None
    assert judge(change.answer.wish, change.answer.forecast) is Verdict.YES
    assert "a budget of" in change.words
    assert "hours of time" in change.words


def test_a_yes_needs_no_change():
    best = answer(Wish(UK, None, None), choices(), certain(), CALM)
    assert cheapest_change(best, choices(), certain(), CALM) is None


def test_of_several_sizes_the_cheapest_that_is_in_time_is_taken():
    sizes = tuple(first_figures().sizes)
    assert answer(Wish(UK, None, None), choices(sizes), shipped(), World()).size == "Standard_NV6ads_A10_v5"
    only = replace(shipped(), quotas={"eastus": Quota(0, 0), "westeurope": Quota(36, 0)})
    with pytest.raises(BadInput, match="calibrate one"):
        answer(Wish(UK, None, None), choices(sizes, ()), only, World())


def test_every_figure_that_went_in_is_told_with_its_source():
    best = answer(Wish(UK, 20, 100), choices(), certain(), CALM)
    told = estimate_json(best, cheapest_change(best, choices(), certain(), CALM), certain(), CALM)
    bases = {entry["basis"] for entry in told["assumptions"].values()}
    assert bases == {Basis.MEASURED.value, Basis.ASSUMED.value}
    assert set(told["parts_usd"]) == {"compute", "evicted", "boot and idle", "disks", "network", "controller"}
    assert told["cheapest_change"]["verdict"] == "yes"


def written(tmp_path, text: str):
    path = tmp_path / "new.toml"
    path.write_text(text)
    return read_fleet_file(path), read_operator_file(path, "new-fleet")


def test_the_written_file_is_a_fleet_file_whose_gaps_are_named(tmp_path):
    best = answer(Wish(UK, 60, 250), Choices(REGIONS[:2], (A10,)), certain(), CALM)
    text = fleet_text(best, placeholders("eastus"), 250.0)
    fleet, file = written(tmp_path, text)
    assert fleet.name == "new-fleet"
    assert file.policy.limits.usd == 250.0
    assert {pool.offer.region: pool.max_vms for pool in file.policy.pools} == {"eastus": 9, "westeurope": 9}
    assert FILL_IN in text


def test_the_file_of_a_small_job_has_money_for_an_hour_of_its_machine():
    known = certain()
    best = answer(Wish(1, None, None), choices(), known, CALM)
    assert [pool.vms for pool in best.pools] == [1]
    assert best.usd(90) < 0.591 <= least_budget(best, known) < 0.61
    assert least_budget(answer(Wish(1, None, 7.0), choices(), known, CALM), known) == 7.0
    with pytest.raises(BadInput, match="less than one hour"):
        least_budget(answer(Wish(1, None, 0.5), choices(), known, CALM), known)


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "there").touch()
    best = answer(Wish(UK, 60, 250), choices(), certain(), CALM)
    with pytest.raises(BadInput, match="cannot be written"):
        _write(tmp_path / "there" / "new.toml", best, certain(), None, None)


def test_a_fleet_that_exists_keeps_its_addresses(tmp_path):
    best = answer(Wish(UK, 60, 250), Choices(("eastus", "germanywestcentral"), (A10,)), certain(), CALM)
    fleet, file = written(tmp_path, fleet_text(best, placeholders("eastus"), 250.0).replace(FILL_IN, "mine"))
    own = {"resource_manager_url": "http://127.0.0.1:5000"}
    patience = replace(file.policy.patience, tick=1.5)
    file = replace(
        file, azure=file.azure.model_copy(update=own), policy=replace(file.policy, patience=patience)
    )
    fleet = replace(fleet, boundaries_file="ours.gpkg")
    again = fleet_text(best, known_addresses(fleet, file), 99.0)
    assert FILL_IN not in again.split("\n", 1)[1]
    fleet_again, file_again = written(tmp_path, again)
    assert fleet_again == fleet
    assert file_again.policy.limits.usd == 99.0
    assert file_again.policy.patience == patience
    assert file_again.azure == file.azure


@pytest.mark.parametrize(("text", "years"), [("", 1), ("2024", 1), ("2017-2025", 9)])
def test_years(text, years):
    assert count_years(text) == years


@pytest.mark.parametrize("text", ["24", "2025-2017", "1900-2025", "soon"])
def test_what_is_no_year_is_refused(text):
    with pytest.raises(BadInput, match="no year"):
        count_years(text)
