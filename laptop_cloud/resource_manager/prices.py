"""The Retail Prices interface over a small table: the same envelope, the same traps, no account needed.

Beside each price that a planner wants stand those that it must not take: Windows, and the Low Priority meters of
another service. Traffic between regions has a price, too, by where it begins.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web

from laptop_cloud.resource_manager.sizes import REGIONS, SIZES, Size

PATH = "/api/retail/prices"
PAGE_ITEMS = 100
WINDOWS_FACTOR = 1.6
REGION_STEP = 0.04
"""Each region of the table is so much dearer than the one before it."""
TRAFFIC_USD_PER_GB = {
    "Intra Continent Data Transfer Out": 0.02,
    "Inter Continent Data Transfer Out - NAM or EU To Any": 0.05,
}
MOST_CONDITIONS = 12
_CONDITION = re.compile(r"\s*(?:(\w+) eq '([^']*)'|contains\((\w+),\s*'([^']*)'\))\s*")
Item = dict[str, Any]


def add_prices(app: web.Application) -> None:
    """Its route."""
    items = list(all_items())

    async def prices(request: web.Request) -> web.Response:
        try:
            is_wanted = reading(request.query.get("$filter", ""))
            first = max(0, int(request.query.get("$skip", "0")))
        except ValueError as error:
            return web.json_response({"Error": {"Code": "BadRequest", "Message": str(error)}}, status=400)
        found = [item for item in items if is_wanted(item)]
        end = first + PAGE_ITEMS
        link = str(request.url.update_query({"$skip": str(end)})) if end < len(found) else None
        return web.json_response(
            {
                "BillingCurrency": "USD",
                "CustomerEntityId": "Default",
                "CustomerEntityType": "Retail",
                "Items": found[first:end],
                "NextPageLink": link,
                "Count": len(found[first:end]),
            }
        )

    app.router.add_get(PATH, prices)


def reading(text: str) -> Callable[[Item], bool]:
    """A filter of conditions that all hold. ValueError for any other."""
    parts = [part for part in re.split(r"\s+and\s+", text.strip()) if part]
    matches = [_CONDITION.fullmatch(part) for part in parts]
    if len(parts) > MOST_CONDITIONS or None in matches:
        raise ValueError("Invalid OData parameters supplied")
    conditions = [match.groups() for match in matches if match]

    def holds(item: Item) -> bool:
        return all(
            item.get("type" if name == "priceType" else name) == value
            if name
            else part in str(item.get(within, ""))
            for name, value, within, part in conditions
        )

    return holds


def all_items() -> Iterator[Item]:
    """Every price there is."""
    for region in REGIONS:
        for size in SIZES.values():
            yield from _of_size(size, region)
        for meter, usd in TRAFFIC_USD_PER_GB.items():
            yield _traffic(meter, region, usd)


def usd_per_hour(size: Size, region: str, *, is_spot: bool) -> float:
    """Of a Linux machine."""
    first = size.spot_usd_per_hour if is_spot else size.usd_per_hour
    return first * (1 + REGIONS.index(region) * REGION_STEP)


def _of_size(size: Size, region: str) -> Iterator[Item]:
    for system, dearer in (("", 1.0), (" Windows", WINDOWS_FACTOR)):
        regular = usd_per_hour(size, region, is_spot=False) * dearer
        yield _item(size, region, "", system, regular)
        if size.can_be_spot:
            spot = usd_per_hour(size, region, is_spot=True) * dearer
            yield _item(size, region, " Spot", system, spot)
            yield _item(size, region, " Low Priority", system, regular * 0.4)
            yield _item(size, region, " Spot", system, spot, type_="DevTestConsumption")


def _item(size: Size, region: str, kind: str, system: str, usd: float, *, type_: str = "Consumption") -> Item:
    short = size.name.removeprefix("Standard_").replace("_", " ")
    meter = uuid.uuid5(uuid.NAMESPACE_URL, f"{size.name}/{region}/{kind}/{system}/{type_}")
    return _line(meter, region, round(usd, 6)) | {
        "meterName": f"{short}{kind}",
        "productName": f"Virtual Machines {size.family}{system}",
        "skuName": f"{short}{kind}",
        "serviceName": "Virtual Machines",
        "serviceId": "DZH313Z7MMC8",
        "serviceFamily": "Compute",
        "unitOfMeasure": "1 Hour",
        "type": type_,
        "armSkuName": size.name,
    }


def _traffic(meter_name: str, region: str, usd: float) -> Item:
    return _line(uuid.uuid5(uuid.NAMESPACE_URL, f"{meter_name}/{region}"), region, usd) | {
        "meterName": meter_name,
        "productName": "Bandwidth Inter-Region",
        "skuName": "Inter-Region",
        "serviceName": "Bandwidth",
        "serviceId": "DZH312Z2VGNB",
        "serviceFamily": "Networking",
        "unitOfMeasure": "1 GB",
        "type": "Consumption",
        "armSkuName": "",
    }


def _line(meter: uuid.UUID, region: str, price: float) -> Item:
    product = f"DZH{meter.hex[:9].upper()}"
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": region,
        "location": region,
        "effectiveStartDate": "2026-01-01T00:00:00Z",
        "meterId": str(meter),
        "productId": product,
        "skuId": f"{product}/{meter.hex[-4:].upper()}",
        "isPrimaryMeterRegion": True,
    }
