"""What decides every pixel of a synthetic year: the place, the year, the spacing, the seed, the land."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pyarrow.parquet
import shapely
from pyproj import Transformer

from contract.errors import BadInput
from laptop_cloud.scenes.pixel_grid import Bbox, bounds_in_utm, utm_epsg

CODE_VERSION = 2
"""Part of every recipe's hash: raise it with any change to the pixels or the items."""


@dataclass(frozen=True)
class SceneRecipe:
    """What decides every pixel of a year of scenes."""

    bbox: Bbox
    """Degrees: west, south, east, north; not across the antimeridian."""
    year: int
    spacing_metres: int = 10
    """Of the fine Sentinel-2 bands and of Sentinel-1; the other bands have twice as much."""
    sentinel2_dates: int = 24
    sentinel1_dates: int = 24
    """Ascending and descending together."""
    seed: int = 1
    land_wkb: bytes | None = None
    """Land as a shape in degrees (`land_over`); None is land everywhere."""
    anchor: tuple[float, float] | None = None
    """Longitude and latitude that fix the zone and the swaths; None is the middle of the bbox. Two
    recipes that differ in the bbox alone and share an anchor agree in every pixel that both have."""

    def __post_init__(self) -> None:
        west, south, east, north = self.bbox
        if not (-180 <= west < east <= 180 and -80 <= south < north <= 84):
            raise BadInput(
                f"{self.bbox} is no box of west, south, east, north in degrees that UTM covers: "
                "give west < east within 180 and south < north between -80 and 84"
            )
        if self.spacing_metres < 1 or self.sentinel2_dates < 0 or self.sentinel1_dates < 0:
            raise BadInput("a year of scenes needs a spacing of 1 m or more and no negative counts of dates")

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with anything that changes a pixel."""
        facts = {**asdict(self), "land_wkb": hashlib.sha256(self.land_wkb or b"everywhere").hexdigest()}
        text = json.dumps({"code": CODE_VERSION, **facts}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def place(self) -> tuple[float, float]:
        """Longitude and latitude of the anchor."""
        west, south, east, north = self.bbox
        return self.anchor or ((west + east) / 2, (south + north) / 2)

    @property
    def epsg(self) -> int:
        """The one UTM zone of all scenes."""
        return utm_epsg(*self.place)

    @cached_property
    def bounds(self) -> Bbox:
        """The box in metres."""
        return bounds_in_utm(self.bbox, self.epsg)

    @property
    def anchor_metres(self) -> tuple[float, float]:
        """Easting and northing of the anchor."""
        to_utm = Transformer.from_crs("EPSG:4326", self.epsg, always_xy=True)
        x, y = to_utm.transform(*self.place)
        return (x, y)


def land_over(bbox: Bbox, boundaries: Path) -> bytes:
    """The land within half a degree of a box in degrees, as WKB, from a GeoParquet file of countries."""
    about = json.loads(pyarrow.parquet.read_schema(boundaries).metadata[b"geo"])
    column = pyarrow.parquet.read_table(boundaries, columns=[about["primary_column"]]).column(0)
    shapes = shapely.from_wkb(column.to_numpy(zero_copy_only=False))
    west, south, east, north = bbox
    nearby = shapely.box(west - 0.5, south - 0.5, east + 0.5, north + 0.5)
    touching = shapes[shapely.intersects(shapes, nearby)]
    land: bytes = shapely.to_wkb(shapely.union_all(shapely.intersection(touching, nearby)))
    return land
