"""Azure's public price list: what a size costs per hour in a region, as spot and as regular machine; and traffic.

One question per size and region brings both, page by page, and one per meter of traffic that of all regions. Other
meters of the same size are left out: Windows, `Low Priority` (of Azure Batch), development subscriptions, reservations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from contract.errors import TilefleetError
from fleetctl.controller.policy import Offer, Priority, Route
from fleetctl.money.traffic import meter_of

PRICE_LIST = "https://prices.azure.com/api/retail/prices"
TIMEOUT_SECONDS = 10.0
MAX_PAGES = 20
MAX_USD_PER_HOUR = 1000.0
"""More than any machine costs: such a line is an error of the list, or of ours."""
MAX_USD_PER_GB = 1.0
"""The same of traffic."""
_NOT_OURS = ("windows", "low priority", "dev/test", "devtest", "cloud services", "reservation")


_Candidate = tuple[str, float]
"""When it began to hold, and USD."""


class NoPrices(TilefleetError):
    """The price list did not answer, or with something else than prices. Older prices go on being used."""


class RetailPrices:
    """Asks the list. No retries: whoever needs prices has older ones, and asks again later."""

    def __init__(self, url: str = PRICE_LIST, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds

    def fetch(self, wanted: Iterable[Offer | Route]) -> dict[Offer | Route, float]:
        """USD per hour of those offers, and per GB of those routes, that the list knows. NoPrices when it could not
        be asked."""
        asked = set(wanted)
        offers = {(entry.region, entry.size) for entry in asked if isinstance(entry, Offer)}
        routes = {entry: meter_of(entry) for entry in asked if isinstance(entry, Route) and meter_of(entry)}
        found: dict[Offer | Route, float] = {}
        with requests.Session() as session:
            for region, size in sorted(offers):
                found |= prices_in(self._items(session, question(region, size)), region, size)
            for meter in sorted(set(routes.values())):
                usd_by_origin = traffic_in(self._items(session, traffic_question(meter)), meter)
                found |= {
                    route: usd_by_origin[route.origin]
                    for route, counted_by in routes.items()
                    if counted_by == meter and route.origin in usd_by_origin
                }
        return {entry: usd for entry, usd in found.items() if entry in asked}

    def _items(self, session: requests.Session, asked: str) -> Iterator[Mapping[str, Any]]:
        url, parameters = self._url, {"$filter": asked}
        for _ in range(MAX_PAGES):
            page = self._page(session, url, parameters)
            yield from page["Items"]
            url, parameters = page.get("NextPageLink") or "", {}
            if not url:
                return
            if urlsplit(url).hostname != urlsplit(self._url).hostname:
                raise NoPrices(
                    f"the price list goes on at {url[:120]!r}, which is another host: not followed"
                )
        raise NoPrices(f"the price list has more than {MAX_PAGES} pages for {asked!r}")

    def _page(self, session: requests.Session, url: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = session.get(url, params=parameters, timeout=self._timeout_seconds, allow_redirects=False)
            page = answer.json() if answer.status_code == requests.codes.ok else None
        except (requests.RequestException, ValueError) as error:
            raise NoPrices(
                f"the price list at {self._url} did not answer ({type(error).__name__})"
            ) from error
        if not isinstance(page, dict) or not isinstance(page.get("Items"), list):
            raise NoPrices(f"the price list at {self._url} answered {answer.status_code} without prices")
        return page


def question(region: str, size: str) -> str:
    """The list's filter for one size in one region."""
    return (
        "serviceName eq 'Virtual Machines' and priceType eq 'Consumption' "
        f"and armRegionName eq '{_quoted(region)}' and armSkuName eq '{_quoted(size)}'"
    )


def traffic_question(meter: str) -> str:
    """The list's filter for one meter of traffic, in all regions: a page or two."""
    return f"serviceName eq 'Bandwidth' and priceType eq 'Consumption' and meterName eq '{meter}'"


def prices_in(items: Iterable[Any], region: str, size: str) -> dict[Offer | Route, float]:
    """The newest price of each kind among the list's items; of two that began together the dearer one."""
    best: dict[Priority, _Candidate] = {}
    for item in items:
        if _is_price(item, "1 Hour", MAX_USD_PER_HOUR) and _is_of_machine(item, region, size):
            priority = _priority(item)
            best[priority] = max(_candidate(item), best.get(priority, ("", 0.0)))
    return {Offer(region, size, priority): usd for priority, (_, usd) in best.items()}


def traffic_in(items: Iterable[Any], meter: str) -> dict[str, float]:
    """USD per GB by the region where it begins: the newest price, and of its tiers the dearest."""
    best: dict[str, _Candidate] = {}
    for item in items:
        if _is_price(item, "1 GB", MAX_USD_PER_GB) and item.get("meterName") == meter:
            origin = str(item.get("armRegionName", "")).lower()
            best[origin] = max(_candidate(item), best.get(origin, ("", 0.0)))
    return {origin: usd for origin, (_, usd) in best.items()}


def _candidate(item: Mapping[str, Any]) -> _Candidate:
    return str(item.get("effectiveStartDate", "")), float(item["retailPrice"])


def _is_price(item: Any, unit: str, most_usd: float) -> bool:
    """Is it one in dollars for that unit, that holds today?"""
    if not isinstance(item, Mapping):
        return False
    usd = item.get("retailPrice")
    return (
        item.get("type") == "Consumption"
        and item.get("unitOfMeasure") == unit
        and item.get("currencyCode") == "USD"
        and isinstance(usd, int | float)
        and not isinstance(usd, bool)
        and 0 < usd <= most_usd
        and str(item.get("effectiveStartDate", "")) <= datetime.now(UTC).isoformat()
    )


def _is_of_machine(item: Mapping[str, Any], region: str, size: str) -> bool:
    words = " ".join(str(item.get(field, "")) for field in ("productName", "skuName", "meterName")).lower()
    return (
        str(item.get("armRegionName", "")).lower() == region.lower()
        and str(item.get("armSkuName", "")).lower() == size.lower()
        and not any(word in words for word in _NOT_OURS)
    )


def _priority(item: Mapping[str, Any]) -> Priority:
    words = f"{item.get('meterName', '')} {item.get('skuName', '')}".lower()
    return Priority.SPOT if "spot" in words.split() else Priority.REGULAR


def _quoted(text: str) -> str:
    return text.replace("'", "''")
