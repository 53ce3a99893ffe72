"""Prices: which lines of Azure's list are ours, how long they are kept, and what stands in for them."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Event

import pytest

from fleetctl.controller.policy import Offer, Priority, Route
from fleetctl.money.figures import Basis
from fleetctl.money.first_figures import first_figures
from fleetctl.money.gather import doubts, gather
from fleetctl.money.price_book import FRESH_SECONDS, RETRY_SECONDS, TRUSTED_SECONDS, PriceBook
from fleetctl.money.retail import NoPrices, RetailPrices, prices_in, traffic_question
from fleetctl.money.traffic import BETWEEN_CONTINENTS, WITHIN_CONTINENT
from tests.unit.fleetctl.money.price_server import item, serve_prices

SIZE = "Standard_NV36ads_A10_v5"
SPOT, REGULAR = Offer("eastus", SIZE, Priority.SPOT), Offer("eastus", SIZE, Priority.REGULAR)
UNKNOWN = Offer("eastus", "Standard_D2s_v5", Priority.SPOT)


@pytest.fixture
def server():
    with serve_prices() as prices:
        yield prices


def test_spot_and_regular_are_found_over_pages_and_other_meters_are_left_out(server):
    others = [
        item(SIZE, 9.0, productName="Virtual Machines X Series Windows"),
        item(SIZE, 0.1, meterName="X Low Priority", skuName="X Low Priority"),
        item(SIZE, 0.2, type="DevTestConsumption"),
        item(SIZE, 0.3, unitOfMeasure="1 GB"),
        item("Standard_D14", 0.4),
        item(SIZE, 0.5, armRegionName="westeurope"),
    ]
    regular = item(SIZE, 3.2, meterName="X", skuName="X")
    server.pages = [
        [*others, item(SIZE, 0.7, effectiveStartDate="2023-01-01T00:00:00Z")],
        [item(SIZE, 0.591)],
    ]
    server.pages.append([regular])
    found = RetailPrices(server.url).fetch([SPOT, REGULAR, UNKNOWN])
    assert found == {SPOT: 0.591, REGULAR: 3.2}
    assert len(server.filters) == 2
    assert f"armRegionName eq 'eastus' and armSkuName eq '{SIZE}'" in server.filters[1]


def traffic(usd: float, region: str, meter: str = WITHIN_CONTINENT, **changes) -> dict:
    return item("", usd, **{"meterName": meter, "armRegionName": region, "unitOfMeasure": "1 GB"} | changes)


def test_what_leaves_a_region_is_priced_by_the_meter_of_its_continent(server):
    near, far = Route("westeurope", "uksouth"), Route("westeurope", "eastus")
    unknown = Route("japaneast", "eastus")
    server.pages = [
        [traffic(0.02, "westeurope"), traffic(0.01, "westeurope", tierMinimumUnits=1000)],
        [traffic(0.5, "uksouth"), traffic(0.05, "westeurope", BETWEEN_CONTINENTS)],
        [traffic(9.0, "westeurope"), traffic(0.7, "westeurope", unitOfMeasure="10 GB")],
    ]
    assert RetailPrices(server.url).fetch([near, far, unknown]) == {near: 0.02, far: 0.05}
    assert sorted(server.filters) == [
        traffic_question(BETWEEN_CONTINENTS),
        traffic_question(WITHIN_CONTINENT),
    ]


@pytest.mark.parametrize(
    ("origin", "destination", "usd_per_gb"),
    [
        ("uksouth", "westeurope", 0.02),
        ("eastus2", "canadacentral", 0.02),
        ("swedencentral", "westus3", 0.05),
        ("australiaeast", "eastus", 0.16),
        ("japaneast", "japanwest", 0.16),
    ],
)
def test_shipped_traffic_depends_on_where_it_begins(origin, destination, usd_per_gb):
    assert first_figures().usd_per_gb(Route(origin, destination)).value == usd_per_gb


def test_the_case_of_names_does_not_matter():
    lines = [item(SIZE.upper(), 0.5, armRegionName="EastUS")]
    assert prices_in(lines, "eastus", SIZE) == {SPOT: 0.5}


def test_a_price_that_does_not_hold_yet_is_left_out():
    lines = [item(SIZE, 0.5), item(SIZE, 0.1, effectiveStartDate="2999-01-01T00:00:00Z")]
    assert prices_in(lines, "eastus", SIZE) == {SPOT: 0.5}


@pytest.mark.parametrize("usd", [0, -1, 5000, "0.5", None, True])
def test_a_line_that_cannot_be_a_price_is_left_out(usd):
    assert prices_in([item(SIZE, usd), "nonsense"], "eastus", SIZE) == {}


def test_a_list_that_fails_or_leads_to_another_host_is_no_price(server):
    server.pages = [[], []]
    server.next_host = "http://prices.example/api"
    with pytest.raises(NoPrices, match="another host"):
        RetailPrices(server.url).fetch([SPOT])
    server.status = 503
    with pytest.raises(NoPrices, match="answered 503"):
        RetailPrices(server.url).fetch([SPOT])


class Book:
    """A price book under a clock that moves when told, over a list that may be away."""

    def __init__(self, folder) -> None:
        self.now, self.asked, self.is_away, self.usd = 1_700_000_000.0, 0, False, 0.5
        self.file = folder / "prices.json"
        self.book = self.again()

    def again(self) -> PriceBook:
        return PriceBook(self.file, first_figures(), self.fetch, lambda: self.now)

    def fetch(self, offers):
        self.asked += 1
        if self.is_away:
            raise NoPrices("away")
        return {offer: self.usd for offer in offers if offer.size == SIZE}


@pytest.fixture
def kept(tmp_path):
    return Book(tmp_path / "cache")


def test_the_list_is_asked_once_in_hours_also_by_the_next_process(kept):
    for _ in range(3):
        assert kept.book.look_up([SPOT])[SPOT].basis is Basis.MEASURED
    assert kept.again().look_up([SPOT])[SPOT].value == 0.5
    assert kept.asked == 1
    kept.now += FRESH_SECONDS + 1
    kept.usd = 0.6
    assert kept.again().look_up([SPOT])[SPOT].value == 0.6


def test_while_the_list_is_away_old_prices_hold_and_later_count_as_assumed(kept):
    kept.book.look_up([SPOT])
    kept.is_away = True
    kept.now += FRESH_SECONDS + 1
    assert kept.book.look_up([SPOT])[SPOT].basis is Basis.MEASURED
    kept.now += TRUSTED_SECONDS
    figure = kept.book.look_up([SPOT])[SPOT]
    assert (figure.value, figure.basis) == (0.5, Basis.ASSUMED)
    assert figure.source == "price list of 2023-11-14"


def test_a_list_that_is_away_is_not_asked_at_every_tick(kept):
    kept.is_away = True
    for _ in range(40):
        kept.book.look_up([SPOT])
        kept.now += 15
    assert kept.asked == 1
    kept.now += RETRY_SECONDS
    kept.book.look_up([SPOT])
    assert kept.asked == 2


def test_a_list_that_just_failed_is_not_waited_for_again(kept):
    kept.is_away = True
    kept.book.look_up([SPOT])
    kept.book.look_up([Route("westeurope", "uksouth")])
    assert kept.asked == 1


def test_a_region_that_the_list_does_not_know_is_doubted(kept):
    nowhere = replace(SPOT, region="atlantis")
    kept.fetch = lambda _wanted: {SPOT: 0.5}
    book = kept.again()
    _, known = gather(["eastus", "atlantis"], [SIZE], book=book, store=None, quotas={})
    assert known.prices[nowhere].basis is Basis.ASSUMED
    (doubt,) = doubts(book, [SPOT, nowhere], known)
    assert "none of these machines in 'atlantis'" in doubt


def test_the_shipped_figures_stand_in_and_an_unknown_size_is_left_out(kept):
    kept.is_away = True
    found = kept.book.look_up([SPOT, UNKNOWN])
    assert (found[SPOT].value, found[SPOT].basis) == (0.591, Basis.ASSUMED)
    assert UNKNOWN not in found


def test_a_tick_does_not_wait_for_the_list_and_has_the_new_price_at_a_later_one(kept):
    assert kept.book([SPOT, UNKNOWN]) == {SPOT: 0.591}
    kept.book._asking.join()
    assert kept.book([SPOT, UNKNOWN]) == {SPOT: 0.5}


def test_routes_are_kept_beside_machines(kept):
    near = Route("westeurope", "uksouth")
    kept.fetch = lambda wanted: dict.fromkeys(wanted, 0.03)
    assert kept.again().look_up([near])[near].basis is Basis.MEASURED
    kept.fetch = lambda _wanted: {}
    assert kept.again()([near, SPOT]) == {near: 0.03, SPOT: 0.591}


def test_what_is_wanted_while_the_list_is_asked_is_asked_for_next(kept):
    answered = Event()
    kept.fetch = lambda wanted: answered.wait(10) and dict.fromkeys(wanted, 0.4)
    book = kept.again()
    book([SPOT])
    book([REGULAR])
    answered.set()
    book._asking.join()
    book([REGULAR])
    book._asking.join()
    assert book([SPOT, REGULAR]) == {SPOT: 0.4, REGULAR: 0.4}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v":1,"prices":[{}]}', '{"v":9,"prices":[]}'])
def test_a_damaged_cache_is_no_cache(kept, text):
    kept.file.parent.mkdir()
    kept.file.write_text(text)
    assert kept.again().look_up([SPOT])[SPOT].value == 0.5
    assert json.loads(kept.file.read_text())["prices"][0]["usd_per_hour"] == 0.5


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert Book(tmp_path / "cache").book.look_up([SPOT])[SPOT].value == 0.5
