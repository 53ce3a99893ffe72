"""One Sentinel-2 L2A scene: ten bands of digital numbers and the scene classification that fits them.

Numbers are as the Planetary Computer serves them: reflectance x 10,000, and 1,000 more in everything of
processing baseline 04.00 and later; 0 is "not seen".
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from laptop_cloud.scenes.landscape import (
    PHASES,
    SENTINEL2_BANDS,
    Cover,
    Landscape,
    greenness,
    reflectance,
    survey,
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


@lru_cache(maxsize=4)
def landscape_of(grid: PixelGrid, seed: int, land_wkb: bytes | None) -> Landscape:
    """The surveyed ground, kept for the dates that follow in the same process."""
    return survey(grid, seed=seed, land=None if land_wkb is None else shapely.from_wkb(land_wkb))


def scene_bands(
    overpass: Pass, grid: PixelGrid, *, seed: int, land_wkb: bytes | None, latitude: float
) -> dict[str, NDArray[np.uint16] | NDArray[np.uint8]]:
    """The arrays of one granule of one pass: FINE_BANDS on `grid`, the rest and SCL on its halved grid."""
    day_seed = seed_of(seed, "sentinel-2", overpass.when.date())
    green = greenness(overpass.day_of_year, southern=latitude < 0)
    bands: dict[str, NDArray[np.uint16] | NDArray[np.uint8]] = {}
    for pixels, names in (
        (grid, FINE_BANDS),
        (grid.halved(), tuple(name for name in SENTINEL2_BANDS if name not in FINE_BANDS)),
    ):
        ground = landscape_of(pixels, seed, land_wkb)
        sky = sky_over(pixels, seed=day_seed, day_of_year=overpass.day_of_year, latitude=latitude)
        seen = overpass.swath.covers(pixels)
        for name in names:
            surface = _seen_from_above(name, reflectance(name, green)[ground.kinds] * ground.brightness, sky)
            noise = normal_at(seed_of(day_seed, name), pixels.columns, pixels.rows)
            bands[name] = _digital_numbers(surface, noise, seen, offset_of(overpass.when))
    bands["SCL"] = _classify(ground, green, sky, seen)
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


def _classify(ground: Landscape, green: Floats, sky: Sky, seen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    water = np.arange(green.size) // PHASES == Cover.WATER
    by_kind = np.select(
        [water, green > 0.40, green < 0.30],
        [Scl.WATER, Scl.VEGETATION, Scl.BARE],
        default=Scl.UNCLASSIFIED,
    )
    classes = by_kind.astype(np.uint8)[ground.kinds]
    classes[sky.shadow > 0.5] = Scl.SHADOW
    classes[sky.cirrus > 0.45] = Scl.CIRRUS
    classes[sky.cloud > 0.12] = Scl.CLOUD_MEDIUM
    classes[sky.cloud > 0.6] = Scl.CLOUD_HIGH
    classes[~seen] = Scl.NO_DATA
    return classes
