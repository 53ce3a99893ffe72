"""What is known before anything was measured: the sizes of the first seed document, read from the package's data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fleetctl.controller.policy import Offer, Priority
from fleetctl.money.figures import Figure, assumed

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
    sizes: Mapping[str, SizeFigures]
    """By name."""

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
