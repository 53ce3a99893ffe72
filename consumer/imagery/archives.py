"""What the two public archives call the same collections and bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from contract.errors import BadInput

SCENE_CLASSES = "SCL"
"""The scene classification of a Sentinel-2 scene: cloud, water, snow ... per pixel."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive's names. Ours are the agencies' own: B02 ... B12, SCL, VV, VH."""

    name: str
    optical_collection: str
    radar_collection: str
    asset_names: Mapping[str, str]
    """Band -> key of its asset in a STAC item of this archive."""


_RADAR = {"VV": "vv", "VH": "vh"}
_OPTICAL_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", SCENE_CLASSES)
_COLOURS = (
    "blue",
    "green",
    "red",
    "rededge1",
    "rededge2",
    "rededge3",
    "nir",
    "nir08",
    "swir16",
    "swir22",
    "scl",
)

PLANETARY_COMPUTER = Archive(
    name="mpc",
    optical_collection="sentinel-2-l2a",
    radar_collection="sentinel-1-rtc",
    asset_names=MappingProxyType({band: band for band in _OPTICAL_BANDS} | _RADAR),
)
# The v1.1 "aws" weights saw OPERA's radar bursts, found through NASA's own catalogue with a login.
# Here they are expected in a STAC collection of this name, as a mirror would serve them.
EARTH_SEARCH = Archive(
    name="aws",
    optical_collection="sentinel-2-l2a",
    radar_collection="sentinel-1-rtc",
    asset_names=MappingProxyType(dict(zip(_OPTICAL_BANDS, _COLOURS, strict=True)) | _RADAR),
)


def archive_of(source: str) -> Archive:
    """The conventions that a recipe's `source` stands for."""
    for archive in (PLANETARY_COMPUTER, EARTH_SEARCH):
        if archive.name == source:
            return archive
    raise BadInput(f"there is no imagery source {source!r}: choose mpc or aws")
