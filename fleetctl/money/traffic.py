"""What leaves one region for another: which meter of the price list counts it. Pure.

It is paid for by where it begins, and by whether it leaves the continent. Into a cloud and inside a region it is free.
"""

from __future__ import annotations

import re

from fleetctl.controller.policy import Route

WITHIN_CONTINENT = "Intra Continent Data Transfer Out"
BETWEEN_CONTINENTS = "Inter Continent Data Transfer Out - NAM or EU To Any"
_CHEAP = {
    "Europe": re.compile(
        r".*europe|uk|france|germany|norway|sweden|switzerland|italy|poland|spain|austria|belgium|denmark"
    ),
    "North America": re.compile(r".*us\d?$|canada"),
}
"""Continents whose meters and prices are known, and how the names of their regions look."""


def meter_of(route: Route) -> str:
    """The meter's name in the list; empty for a route that begins elsewhere than in Europe or North America."""
    origin, destination = _continent_of(route.origin), _continent_of(route.destination)
    if not origin:
        return ""
    return WITHIN_CONTINENT if origin == destination else BETWEEN_CONTINENTS


def _continent_of(region: str) -> str:
    return next((name for name, pattern in _CHEAP.items() if pattern.match(region)), "")
