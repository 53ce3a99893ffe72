"""What is known before anything was measured: the sizes of the first seed document, read from the package's data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fleetctl.controller.policy import Offer, Priority, Route
from fleetctl.money.figures import Figure, assumed
from fleetctl.money.traffic import BETWEEN_CONTINENTS, WITHIN_CONTINENT, meter_of

SOURCE = "first seed document"


@dataclass(frozen=True, slots=True)
class SizeFigures:
    """One size of machine."""

    size: str
    machine: str
    """What it is, for a person."""
    tile_seconds: float
    """Of inference from a prepared cube, one tile at a time on the whole machine."""
    spot_usd_per_hour: float
    regular_usd_per_hour: float

    def usd_per_hour(self, priority: Priority) -> float:
        return self.spot_usd_per_hour if priority is Priority.SPOT else self.regular_usd_per_hour


@dataclass(frozen=True, slots=True)
class FirstFigures:
    """The whole table."""

    region: str
    """Whose prices these are."""
    spot_vcpus: int
    """Approved per region."""
    download_seconds: float
    upload_seconds: float
    usd_per_gb_within_continent: float
    usd_per_gb_between_continents: float
    usd_per_gb_elsewhere: float
    """From regions of which it is not known how dear they are."""
    sizes: Mapping[str, SizeFigures]
    """By name."""

    def usd_per_gb(self, route: Route) -> Figure:
        """An assumption about what leaves a region."""
        usd, which = {
            WITHIN_CONTINENT: (self.usd_per_gb_within_continent, "between regions of one continent"),
            BETWEEN_CONTINENTS: (self.usd_per_gb_between_continents, "between continents"),
        }.get(meter_of(route), (self.usd_per_gb_elsewhere, "the dearest between regions"))
        return assumed(usd, f"{which}, list price")

    def usd_per_hour(self, offer: Offer) -> Figure | None:
        """An assumption about an offer: its size's price, whatever the region; None for a size that is not here."""
        known = next((s for s in self.sizes.values() if s.size.lower() == offer.size.lower()), None)
        if known is None:
            return None
        return assumed(known.usd_per_hour(offer.priority), f"{SOURCE}, {self.region}")


@cache
def first_figures() -> FirstFigures:
    """The table that is shipped."""
    content = tomllib.loads(
        resources.files("fleetctl").joinpath("data/first_figures.toml").read_text(encoding="utf-8")
    )
    sizes = [SizeFigures(**entry) for entry in content.pop("sizes")]
    return FirstFigures(**content, sizes={entry.size: entry for entry in sizes})
