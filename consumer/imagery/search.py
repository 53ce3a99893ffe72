"""Which scenes there are over a tile: one catalogue query per collection, in an order that never varies.

Only what every STAC API understands is sent (collection, box, dates). Servers without the query
extension answer a cloud condition with an empty list instead of ignoring it, so cloud cover is
judged by the caller, on `Scene.cloud_percent`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from affine import Affine
from pystac import STACError
from pystac_client import Client
from pystac_client.exceptions import APIError

from consumer.imagery.archives import Archive, may_read
from consumer.imagery.pixel_grid import Box
from consumer.imagery.sign import without_token
from consumer.imagery.stac_client import LimitedIO, pages
from contract.errors import TryLater

MAX_SCENES = 5000
"""A year over one tile has some hundreds of scenes; more is a catalogue that ignores the question."""
PAGE_SIZE = 250


@dataclass(frozen=True, slots=True)
class Stated:
    """Where a file lies, by the catalogue's word. None: it does not say."""

    epsg: int | None
    corners: tuple[float, float, float, float] | None
    """(x, y) of the upper left corner, then of the lower right one."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One item of the catalogue, as far as anyone here cares."""

    id: str
    collection: str
    acquired: datetime
    """UTC."""
    assets: Mapping[str, str]
    """Band (B02 ... SCL, VV, VH) -> unsigned href; a band that the item lacks is not in it."""
    cloud_percent: float | None
    """As stated by the producer of the scene; None: not stated."""
    orbit: str
    """`ascending`, `descending` or `unknown`."""
    baseline: str | None
    """Processing baseline of a Sentinel-2 scene ("05.11")."""
    stated: Mapping[str, Stated] = field(default_factory=dict)
    """By band, like `assets`."""
    polarisations: tuple[str, ...] = ()
    """Of a radar scene, sorted: over ice and open sea the satellites send HH and HV."""

    @property
    def date(self) -> str:
        """YYYY-MM-DD, UTC: what scenes of one overpass share."""
        return self.acquired.date().isoformat()


class Catalogue:
    """A STAC API. Opened with the first search; safe to share between threads."""

    def __init__(self, url: str, archive: Archive) -> None:
        self.url = url
        self._archive = archive
        self._io = LimitedIO(url)
        self._opening = threading.Lock()
        self._client: Client | None = None
        self._known_collections: set[str] = set()

    def search(self, collection: str, box: Box, start: datetime, end: datetime) -> list[Scene]:
        """All scenes of the collection that touch the box (degrees) within [start, end), oldest first.

        Same-time scenes are ordered by id. TryLater when the catalogue is away, throttles, lacks the
        collection or gives answers that make no sense: none of that may look like "no imagery".
        """
        try:
            found = pages(
                self._io,
                self._open(collection),
                collections=[collection],
                bbox=box,
                datetime=f"{_rfc3339(start)}/{_rfc3339(end)}",
                limit=PAGE_SIZE,
            )
            items = (item for page in found for item in page["features"])
            scenes = self._read_scenes(items, collection, start, end)
        except (APIError, STACError, NotImplementedError) as error:
            raise TryLater(f"the search of {collection} at {self.url} failed: {_reason(error)}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TryLater(
                f"{self.url} answered a search of {collection} with something that is no list of scenes: "
                f"{type(error).__name__} {error}"
            ) from error
        return sorted(scenes, key=lambda scene: (scene.acquired, scene.id))

    def _open(self, collection: str) -> Client:
        with self._opening:
            if self._client is None:
                self._client = Client.open(self.url, stac_io=self._io)
            if collection not in self._known_collections:
                # A search of an unknown collection finds nothing, without complaint.
                if self._client.get_collection(collection) is None:
                    raise TryLater(
                        f"the catalogue at {self.url} has no collection {collection}: "
                        "point the fleet's settings at one that has it"
                    )
                self._known_collections.add(collection)
            return self._client

    def _read_scenes(
        self, items: Iterator[dict[str, Any]], collection: str, start: datetime, end: datetime
    ) -> Iterable[Scene]:
        scenes: dict[str, Scene] = {}
        for count, item in enumerate(items, start=1):
            if count > MAX_SCENES:
                raise TryLater(
                    f"{self.url} lists more than {MAX_SCENES} scenes of {collection} for one tile: "
                    "it seems to ignore the question; see that the address is a STAC API's"
                )
            scene = read_scene(item, self._archive)
            if scene.collection == collection and start <= scene.acquired < end:
                self._check_addresses(scene)
                scenes[scene.id] = scene  # an item that moved between pages is listed twice
        return scenes.values()

    def _check_addresses(self, scene: Scene) -> None:
        for band, href in scene.assets.items():
            if not may_read(href, self._archive, self.url):
                raise TryLater(
                    f"{self.url} says that {band} of {scene.id} lies at {without_token(href)[:200]}, but "
                    f"imagery of {self._archive.name} is not read from there: "
                    "see that the fleet's catalogue is the right one"
                )


def read_scene(item: Mapping[str, Any], archive: Archive) -> Scene:
    """The scene that a STAC item describes; KeyError, TypeError or ValueError if it describes none."""
    properties = item["properties"]
    assets = {band: item["assets"][key] for band, key in archive.asset_names.items() if key in item["assets"]}
    cloud = properties.get("eo:cloud_cover")
    baseline = properties.get("s2:processing_baseline")
    return Scene(
        id=str(item["id"]),
        collection=str(item["collection"]),
        acquired=_read_time(properties["datetime"] or properties["start_datetime"]),
        assets={band: str(asset["href"]) for band, asset in assets.items()},
        cloud_percent=None if cloud is None else float(cloud),
        orbit=str(properties.get("sat:orbit_state") or "unknown").lower(),
        baseline=None if baseline is None else str(baseline),
        stated={band: _read_stated({**properties, **asset}) for band, asset in assets.items()},
        polarisations=tuple(sorted(map(str, properties.get("sar:polarizations") or ()))),
    )


def _read_stated(fields: Mapping[str, Any]) -> Stated:
    """From the projection extension, of the asset or else of the item, in its older and newer words."""
    code = str(fields.get("proj:code") or f"EPSG:{fields.get('proj:epsg')}")
    epsg = code.removeprefix("EPSG:")
    transform, shape = fields.get("proj:transform"), fields.get("proj:shape")
    corners = None
    if transform and shape:
        to_metres = Affine(*(float(number) for number in transform[:6]))
        rows, columns = (int(number) for number in shape)
        corners = (*(to_metres @ (0, 0)), *(to_metres @ (columns, rows)))
    return Stated(int(epsg) if epsg.isdigit() else None, corners)


def _read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _reason(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    return " ".join(part for part in (f"HTTP {status}" if status else "", str(error)[:300].strip()) if part)
