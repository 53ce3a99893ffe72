"""One Sentinel-1 RTC scene: gamma nought of both polarisations as linear power, with speckle.

The numbers of each cover are typical C-band levels, drawn by hand: rough and wooded ground returns more
than grass, the sea as much as the wind of the day, and towns most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from laptop_cloud.scenes.landscape import PHASES, Cover, Landscape, greenness, landscape_of
from laptop_cloud.scenes.noise import Floats, chance, normal_at, seed_of
from laptop_cloud.scenes.passes import Pass
from laptop_cloud.scenes.pixel_grid import PixelGrid

NO_DATA = -32768.0
LOOKS = 4.4
"""Equivalent number of looks of the ground range products."""
# Decibels: VV without leaves, VV in full leaf, VH below VV.
_LEVELS = {
    Cover.WATER: (-19.0, -19.0, -8.5),
    Cover.PASTURE: (-11.5, -12.5, -6.5),
    Cover.WINTER_CROP: (-9.5, -14.0, -6.0),
    Cover.SPRING_CROP: (-9.0, -10.5, -5.5),
    Cover.BROADLEAF: (-9.0, -8.2, -5.5),
    Cover.CONIFER: (-8.0, -8.0, -5.0),
    Cover.HEATH: (-11.0, -10.5, -6.0),
    Cover.ROCK: (-12.5, -12.5, -8.0),
    Cover.TOWN: (-3.5, -3.5, -6.5),
}
# Six bits of the mantissa stay: steps of 1.6 % under a speckle of 48 %, and files of half the size.
_KEPT_BITS = np.uint32(0xFFFE0000)


def scene_bands(
    overpass: Pass, grid: PixelGrid, *, seed: int, land_wkb: bytes | None, latitude: float
) -> dict[str, NDArray[np.float32]]:
    """`vv` and `vh` of one pass on `grid`, (height, width), NO_DATA outside the swath."""
    day_seed = seed_of(seed, "sentinel-1", overpass.when.date(), overpass.direction)
    ground = landscape_of(grid, seed, land_wkb)
    green = greenness(overpass.day_of_year, southern=latitude < 0)
    seen = overpass.swath.covers(grid)
    bands = {}
    for name in ("vv", "vh"):
        levels = _decibels(name, green, wind=chance(day_seed, "wind"))[ground.kinds]
        power = _linear(levels + _facing(ground, overpass))
        speckle = _speckle(normal_at(seed_of(day_seed, name), grid.columns, grid.rows))
        bands[name] = np.where(seen, _shortened(power * speckle), np.float32(NO_DATA))
    return bands


def _decibels(polarisation: str, green: Floats, *, wind: float) -> Floats:
    """The level of every kind on a day, (kinds,)."""
    levels = np.array([_LEVELS[cover] for cover in Cover], dtype=np.float32).repeat(PHASES, axis=0)
    bare, leafy, below = levels.T
    vv = bare + green * (leafy - bare)
    vv[np.arange(vv.size) // PHASES == Cover.WATER] += np.float32(6 * wind - 3)
    levels_db: Floats = vv if polarisation == "vv" else vv + below
    return levels_db


def _facing(ground: Landscape, overpass: Pass) -> Floats:
    # What terrain correction leaves: the radar looks right, so east when it climbs and west when it falls.
    looks_east = 1 if overpass.direction == "ascending" else -1
    difference: Floats = np.float32(-0.8 * looks_east) * ground.tilt
    return difference


def _speckle(normal: Floats) -> Floats:
    """Gamma of mean 1 and shape LOOKS from a standard normal, by Wilson and Hilferty's cube (1931)."""
    ninth = 1 / (9 * LOOKS)
    root = np.maximum(np.float32(1 - ninth) + np.float32(np.sqrt(ninth)) * normal, np.float32(0.05))
    speckle: Floats = root**3
    return speckle


def _linear(decibels: Floats) -> Floats:
    power: Floats = np.exp(decibels * np.float32(np.log(10) / 10))
    return power


def _shortened(values: Floats) -> Floats:
    return (values.view(np.uint32) & _KEPT_BITS).view(np.float32)
