"""One Sentinel-2 L2A scene: ten bands of digital numbers and the scene classification that fits them.

Numbers are as the Planetary Computer serves them: reflectance x 10,000, and 1,000 more in everything of
processing baseline 04.00 and later; 0 is "not seen".
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laptop_cloud.scenes.landscape import (
    PHASES,
    SENTINEL2_BANDS,
    Cover,
    Landscape,
    greenness,
    landscape_of,
    reflectance,
)
from laptop_cloud.scenes.noise import Floats, normal_at, seed_of
from laptop_cloud.scenes.passes import Pass
from laptop_cloud.scenes.pixel_grid import PixelGrid
from laptop_cloud.scenes.weather import Sky, sky_over

FINE_BANDS = ("B02", "B03", "B04", "B08")
"""Of 10 m; the other six and SCL have 20 m."""
STEP = 4
"""Digital numbers come in such steps, about those of the sensor's 12 bits; files are a quarter smaller."""
_OFFSET_SINCE = datetime.fromisoformat("2022-01-25T00:00:00+00:00")

# In the order of SENTINEL2_BANDS. Clouds are bright and nearly grey, darker in the short-wave infrared,
# where ice and water absorb; skylight fills a shadow with blue.
_CLOUD = (0.62, 0.60, 0.60, 0.61, 0.62, 0.62, 0.62, 0.63, 0.42, 0.33)
_CIRRUS = (0.09, 0.08, 0.07, 0.07, 0.07, 0.07, 0.07, 0.06, 0.03, 0.02)
_SHADED = (0.55, 0.48, 0.42, 0.38, 0.34, 0.33, 0.32, 0.32, 0.28, 0.27)


class Scl(enum.IntEnum):
    """The classes of the scene classification layer that occur here."""

    NO_DATA = 0
    SHADOW = 3
    VEGETATION = 4
    BARE = 5
    WATER = 6
    UNCLASSIFIED = 7
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9
    CIRRUS = 10


CLOUD_CLASSES = (Scl.CLOUD_MEDIUM, Scl.CLOUD_HIGH, Scl.CIRRUS)
"""What counts as cloud in an item's eo:cloud_cover."""


def offset_of(when: datetime) -> int:
    """What the products of a day add to reflectance x 10,000."""
    return 1000 if when > _OFFSET_SINCE else 0


def baseline_of(when: datetime) -> str:
    """The processing baseline that the products of a day carry."""
    return "05.10" if offset_of(when) else "03.01"


@dataclass(frozen=True)
class _View:
    """What one pass meets on one grid: the ground, the sky above it, and the part that it sees."""

    grid: PixelGrid
    ground: Landscape
    sky: Sky
    seen: NDArray[np.bool_]


def scene_bands(
    overpass: Pass, grid: PixelGrid, *, seed: int, land_wkb: bytes | None, latitude: float
) -> dict[str, NDArray[Any]]:
    """The arrays of one granule of one pass: FINE_BANDS on `grid`, the rest and SCL on its halved grid.

    Bands are uint16 and SCL is uint8; 0 is "not seen" in all of them.
    """
    day_seed = seed_of(seed, "sentinel-2", overpass.when.date())
    day, offset = overpass.day_of_year, offset_of(overpass.when)
    green = greenness(day, southern=latitude < 0)

    def view_on(pixels: PixelGrid) -> _View:
        ground = landscape_of(pixels, seed, land_wkb)
        sky = sky_over(pixels, seed=day_seed, day_of_year=day, latitude=latitude)
        return _View(pixels, ground, sky, overpass.swath.covers(pixels))

    fine, coarse = view_on(grid), view_on(grid.halved())
    bands: dict[str, NDArray[Any]] = {}
    for name in SENTINEL2_BANDS:
        view = fine if name in FINE_BANDS else coarse
        surface = reflectance(name, green)[view.ground.kinds] * view.ground.brightness
        noise = normal_at(seed_of(day_seed, name), view.grid.columns, view.grid.rows)
        bands[name] = _digital_numbers(_seen_from_above(name, surface, view.sky), noise, view.seen, offset)
    bands["SCL"] = _classify(coarse, green)
    return bands


def percent_of(classes: NDArray[Any], wanted: Sequence[Scl]) -> float:
    """How much of a classification has one of the wanted classes."""
    return float(100 * np.isin(classes, wanted).mean())


def _seen_from_above(band: str, surface: Floats, sky: Sky) -> Floats:
    index = SENTINEL2_BANDS.index(band)
    lit = surface * (1 - sky.shadow * np.float32(1 - _SHADED[index]))
    hazy = lit + sky.cirrus * np.float32(_CIRRUS[index])
    # A thick cloud is brighter than a thin one.
    white = np.float32(0.6) + np.float32(0.4) * sky.cloud + np.float32(0.12) * sky.billows
    seen: Floats = hazy * (1 - sky.cloud) + np.float32(_CLOUD[index]) * white * sky.cloud
    return seen


def _digital_numbers(
    surface: Floats, noise: Floats, seen: NDArray[np.bool_], offset: int
) -> NDArray[np.uint16]:
    noisy = surface * (1 + np.float32(0.003) * noise) + np.float32(0.0003) * noise
    numbers = np.clip(np.rint(noisy * (10_000 / STEP)) * STEP + offset, 1, 65_535)
    return np.where(seen, numbers, 0).astype(np.uint16)


def _classify(view: _View, green: Floats) -> NDArray[np.uint8]:
    water = np.arange(green.size) // PHASES == Cover.WATER
    by_kind = np.select(
        [water, green > 0.40, green < 0.30],
        [Scl.WATER, Scl.VEGETATION, Scl.BARE],
        default=Scl.UNCLASSIFIED,
    )
    classes = by_kind.astype(np.uint8)[view.ground.kinds]
    # Later lines win: a cloud hides a shadow.
    classes[view.sky.shadow > 0.5] = Scl.SHADOW
    classes[view.sky.cirrus > 0.45] = Scl.CIRRUS
    classes[view.sky.cloud > 0.12] = Scl.CLOUD_MEDIUM
    classes[view.sky.cloud > 0.6] = Scl.CLOUD_HIGH
    classes[~view.seen] = Scl.NO_DATA
    return classes
