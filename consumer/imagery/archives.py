"""What the two public archives call the same collections and bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

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
    storage_hosts: tuple[str, ...]
    """Where its files lie: hosts, or ends of their names with a dot before them."""


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
    storage_hosts=(".blob.core.windows.net",),
)
# The v1.1 "aws" weights saw OPERA's radar bursts, found through NASA's own catalogue with a login.
# Here they are expected in a STAC collection of this name, as a mirror would serve them.
EARTH_SEARCH = Archive(
    name="aws",
    optical_collection="sentinel-2-l2a",
    radar_collection="sentinel-1-rtc",
    asset_names=MappingProxyType(dict(zip(_OPTICAL_BANDS, _COLOURS, strict=True)) | _RADAR),
    storage_hosts=(".s3.us-west-2.amazonaws.com", ".s3.amazonaws.com"),
)


def archive_of(source: str) -> Archive:
    """The conventions that a recipe's `source` stands for."""
    for archive in (PLANETARY_COMPUTER, EARTH_SEARCH):
        if archive.name == source:
            return archive
    raise BadInput(f"there is no imagery source {source!r}: choose mpc or aws")


LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def may_read(href: str, archive: Archive, catalogue_url: str) -> bool:
    """Whether a catalogue may send us to this address: its archive's storage, or its own host.

    A catalogue on this machine may name every port of it, and so may nobody else: an address out of a
    catalogue must not reach the services that listen here.
    """
    parts, catalogue = urlsplit(href), urlsplit(catalogue_url)
    host, home = parts.hostname or "", catalogue.hostname or ""
    if home in LOOPBACK_HOSTS and host in LOOPBACK_HOSTS:
        return parts.scheme in {"http", "https"}
    if parts.scheme != "https" or "@" in parts.netloc:
        return False
    if host == home and parts.port == catalogue.port:
        return True
    return parts.port in {None, 443} and any(
        host == known or (known.startswith(".") and host.endswith(known)) for known in archive.storage_hosts
    )
