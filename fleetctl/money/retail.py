"""Azure's public price list: what a size costs per hour in a region, as spot and as regular machine.

One question per size and region brings both, page by page. Other meters of the same size are left out: Windows,
`Low Priority` (of Azure Batch), development subscriptions, reservations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from contract.errors import TilefleetError
from fleetctl.controller.policy import Offer, Priority

PRICE_LIST = "https://prices.azure.com/api/retail/prices"
TIMEOUT_SECONDS = 10.0
MAX_PAGES = 20
MAX_USD_PER_HOUR = 1000.0
"""More than any machine costs: such a line is an error of the list, or of ours."""
_NOT_OURS = ("windows", "low priority", "dev/test", "devtest", "cloud services", "reservation")


class NoPrices(TilefleetError):
    """The price list did not answer, or with something else than prices. Older prices go on being used."""


class RetailPrices:
    """Asks the list. No retries: whoever needs prices has older ones, and asks again later."""

    def __init__(self, url: str = PRICE_LIST, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds

    def fetch(self, offers: Iterable[Offer]) -> dict[Offer, float]:
        """USD per hour of those offers that the list knows. NoPrices when it could not be asked."""
        wanted = set(offers)
        found: dict[Offer, float] = {}
        with requests.Session() as session:
            for region, size in sorted({(offer.region, offer.size) for offer in wanted}):
                found |= prices_in(self._items(session, question(region, size)), region, size)
        return {offer: usd for offer, usd in found.items() if offer in wanted}

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


def prices_in(items: Iterable[Any], region: str, size: str) -> dict[Offer, float]:
    """The newest price of each kind among the list's items; of two that began together the dearer one."""
    best: dict[Priority, tuple[str, float]] = {}
    for item in items:
        if not isinstance(item, Mapping) or not _is_ours(item, region, size):
            continue
        usd, priority = float(item["retailPrice"]), _priority(item)
        candidate = (str(item.get("effectiveStartDate", "")), usd)
        if 0 < usd <= MAX_USD_PER_HOUR and candidate > best.get(priority, ("", 0.0)):
            best[priority] = candidate
    return {Offer(region, size, priority): usd for priority, (_, usd) in best.items()}


def _is_ours(item: Mapping[str, Any], region: str, size: str) -> bool:
    words = " ".join(str(item.get(field, "")) for field in ("productName", "skuName", "meterName")).lower()
    usd = item.get("retailPrice")
    return (
        str(item.get("armRegionName", "")).lower() == region.lower()
        and str(item.get("armSkuName", "")).lower() == size.lower()
        and item.get("type") == "Consumption"
        and item.get("unitOfMeasure") == "1 Hour"
        and item.get("currencyCode") == "USD"
        and isinstance(usd, int | float)
        and not isinstance(usd, bool)
        and str(item.get("effectiveStartDate", "")) <= datetime.now(UTC).isoformat()
        and not any(word in words for word in _NOT_OURS)
    )


def _priority(item: Mapping[str, Any]) -> Priority:
    words = f"{item.get('meterName', '')} {item.get('skuName', '')}".lower()
    return Priority.SPOT if "spot" in words.split() else Priority.REGULAR


def _quoted(text: str) -> str:
    return text.replace("'", "''")
