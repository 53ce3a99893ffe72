"""The ground under the synthetic scenes: coast, hills, woods, towns, fields, and what each looks like.

Cover is decided once per place. A pixel's *kind* is its cover and one of eight phases (an early or late
field, a lush or poor one), so that a date's image is one look-up in a small table per band.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from laptop_cloud.scenes.noise import Floats, seed_of, smooth_field, uniform_at
from laptop_cloud.scenes.pixel_grid import PixelGrid, reprojected

PHASES = 8
PARCEL_METRES = 400
SENTINEL2_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


class Cover(enum.IntEnum):
    """What grows or lies on the ground."""

    WATER = 0
    PASTURE = 1
    WINTER_CROP = 2
    SPRING_CROP = 3
    BROADLEAF = 4
    CONIFER = 5
    HEATH = 6
    ROCK = 7
    TOWN = 8


# Surface reflectance in the order of SENTINEL2_BANDS: typical shapes, drawn by hand after the spectra of
# green leaves (red edge between B05 and B06), dry matter, soil (rising to the short-wave infrared) and so on.
_GREEN = (0.025, 0.055, 0.030, 0.090, 0.28, 0.36, 0.40, 0.42, 0.20, 0.090)
_NEEDLES = (0.018, 0.032, 0.020, 0.050, 0.16, 0.20, 0.22, 0.24, 0.10, 0.045)
_DRY = (0.055, 0.085, 0.110, 0.150, 0.20, 0.23, 0.26, 0.29, 0.34, 0.240)
_SOIL = (0.060, 0.080, 0.105, 0.135, 0.16, 0.18, 0.20, 0.22, 0.29, 0.250)
_BROWN = (0.030, 0.045, 0.058, 0.080, 0.12, 0.14, 0.16, 0.18, 0.20, 0.130)
_STONE = (0.120, 0.145, 0.165, 0.185, 0.20, 0.21, 0.22, 0.23, 0.28, 0.250)
_ROOFS = (0.100, 0.115, 0.125, 0.140, 0.16, 0.17, 0.18, 0.19, 0.22, 0.200)
_SEA = (0.036, 0.030, 0.016, 0.013, 0.011, 0.010, 0.009, 0.008, 0.005, 0.004)

# Per cover: its spectrum when green, its spectrum when not.
_SPECTRA = {
    Cover.WATER: (_SEA, _SEA),
    Cover.PASTURE: (_GREEN, _DRY),
    Cover.WINTER_CROP: (_GREEN, _SOIL),
    Cover.SPRING_CROP: (_GREEN, _SOIL),
    Cover.BROADLEAF: (_GREEN, _BROWN),
    Cover.CONIFER: (_NEEDLES, _NEEDLES),
    Cover.HEATH: (_GREEN, _BROWN),
    Cover.ROCK: (_GREEN, _STONE),
    Cover.TOWN: (_GREEN, _ROOFS),
}


@dataclass(frozen=True)
class Landscape:
    """The unchanging ground of one pixel grid; arrays are (height, width)."""

    kinds: NDArray[np.uint8]
    """Cover x PHASES + phase."""
    brightness: Floats
    """A factor about 1: soil, slope, thin and thick growth."""
    tilt: Floats
    """How much the ground faces east (positive) or west; about -1 to 1."""


def survey(grid: PixelGrid, *, seed: int, land: shapely.Geometry | None) -> Landscape:
    """The landscape of `seed` on a grid; `land` in degrees tells land from sea, None is land everywhere."""
    xs, ys = grid.xs, grid.ys
    height = smooth_field(seed_of(seed, "height"), xs, ys, wavelength=11_000, octaves=5)
    # The same field half a kilometre further east: the slope without a derivative at the window's edge.
    tilt = height - smooth_field(seed_of(seed, "height"), xs + 500.0, ys, wavelength=11_000, octaves=5)
    parcels, ownership = _parcels(grid, seed)
    cover = _cover(grid, seed, height, ownership)
    cover[~_land_mask(grid, land)] = Cover.WATER
    fine = smooth_field(seed_of(seed, "texture"), xs, ys, wavelength=600, octaves=3)
    broad = smooth_field(seed_of(seed, "soil"), xs, ys, wavelength=5_000, octaves=2)
    brightness = 1 + 0.05 * fine + 0.06 * broad + 0.08 * np.tanh(tilt)
    phases = (parcels * PHASES).astype(np.uint8)
    kinds = (cover * PHASES + phases).astype(np.uint8)
    return Landscape(kinds, np.clip(brightness, 0.6, 1.4).astype(np.float32), np.tanh(tilt))


@lru_cache(maxsize=4)
def landscape_of(grid: PixelGrid, seed: int, land_wkb: bytes | None) -> Landscape:
    """What `survey` finds, kept for the dates that follow in the same process."""
    return survey(grid, seed=seed, land=None if land_wkb is None else shapely.from_wkb(land_wkb))


def greenness(day_of_year: int, *, southern: bool = False) -> Floats:
    """The green share of every kind on a day, (kinds,); the southern year runs half a year later."""
    table = np.zeros((len(Cover), PHASES), dtype=np.float32)
    for phase in range(PHASES):
        day = day_of_year + (182 if southern else 0) + (phase - PHASES / 2) * 4
        vigour = 0.85 + 0.3 * phase / PHASES
        for cover in Cover:
            table[cover, phase] = min(1.0, vigour * _green_share(cover, day % 365))
    return table.reshape(-1)


def reflectance(band: str, green: Floats) -> Floats:
    """The reflectance of every kind in a band, (kinds,), given the green shares of the day."""
    index = SENTINEL2_BANDS.index(band)
    lush = np.array([_SPECTRA[cover][0][index] for cover in Cover], dtype=np.float32).repeat(PHASES)
    bare = np.array([_SPECTRA[cover][1][index] for cover in Cover], dtype=np.float32).repeat(PHASES)
    return green * lush + (1 - green) * bare


def _green_share(cover: Cover, day: float) -> float:
    summer = 0.5 * (1 + math.cos(2 * math.pi * (day - 175) / 365))
    curves = {
        Cover.WATER: 0.0,
        Cover.PASTURE: 0.55 + 0.40 * summer,
        Cover.WINTER_CROP: 0.30 + 0.65 * _season(day, 105, 205) - 0.28 * _season(day, 210, 285),
        Cover.SPRING_CROP: 0.05 + 0.90 * _season(day, 135, 255),
        Cover.BROADLEAF: 0.15 + 0.75 * _season(day, 122, 298),
        Cover.CONIFER: 1.0,
        Cover.HEATH: 0.12 + 0.35 * summer,
        Cover.ROCK: 0.04 + 0.06 * summer,
        Cover.TOWN: 0.12 + 0.14 * summer,
    }
    return curves[cover]


def _season(day: float, begins: float, ends: float) -> float:
    """About 1 between two days, with flanks of some two weeks (a double logistic)."""
    up = 1 / (1 + math.exp(-(day - begins) / 9))
    down = 1 / (1 + math.exp((day - ends) / 9))
    return up * down


def _cover(grid: PixelGrid, seed: int, height: Floats, ownership: Floats) -> NDArray[np.uint8]:
    xs, ys = grid.xs, grid.ys
    wet = smooth_field(seed_of(seed, "wet"), xs, ys, wavelength=4_000, octaves=4)
    towns = smooth_field(seed_of(seed, "towns"), xs, ys, wavelength=3_500, octaves=4)
    # Shares of the fields between two limits of their parcel's draw; wood and heath follow the ground.
    fields = np.searchsorted([0.45, 0.68, 0.88, 0.95], ownership)
    by_draw = np.array(
        [Cover.PASTURE, Cover.WINTER_CROP, Cover.SPRING_CROP, Cover.BROADLEAF, Cover.CONIFER],
        dtype=np.uint8,
    )
    cover = by_draw[fields]
    cover[wet > 1.3] = Cover.BROADLEAF
    cover[(height > 0.5) & (ownership < 0.3)] = Cover.CONIFER
    cover[height > 0.95] = Cover.HEATH
    cover[height > 1.9] = Cover.ROCK
    cover[(towns > 2.1) & (height < 0.8)] = Cover.TOWN
    cover[(wet < -2.2) & (height < 0.6)] = Cover.WATER
    return cover


def _parcels(grid: PixelGrid, seed: int) -> tuple[Floats, Floats]:
    """Two draws in [0, 1) per pixel, each the same all over a parcel: the nearest of scattered points."""
    columns = np.floor(grid.xs / PARCEL_METRES).astype(np.int64)
    rows = np.floor(grid.ys / PARCEL_METRES).astype(np.int64)
    nodes_x = np.arange(columns.min() - 1, columns.max() + 2)
    nodes_y = np.arange(rows.min() - 1, rows.max() + 2)
    draws = {name: uniform_at(seed_of(seed, name), nodes_x, nodes_y) for name in ("x", "y", "phase", "use")}
    # In 64 bits and from the zone's origin: rounding that depended on the window would move borders.
    points_x = (nodes_x[None, :] + draws["x"].astype(np.float64)) * PARCEL_METRES
    points_y = (nodes_y[:, None] + draws["y"].astype(np.float64)) * PARCEL_METRES
    xs, ys = grid.xs[None, :], grid.ys[:, None]
    nearest = np.full((grid.height, grid.width), np.inf)
    phase, use = (np.zeros((grid.height, grid.width), dtype=np.float32) for _ in range(2))
    for down in range(3):
        for across in range(3):
            cells = np.ix_(rows - nodes_y[0] - 1 + down, columns - nodes_x[0] - 1 + across)
            distance = (points_x[cells] - xs) ** 2 + (points_y[cells] - ys) ** 2
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            phase = np.where(closer, draws["phase"][cells], phase)
            use = np.where(closer, draws["use"][cells], use)
    return phase, use


def _land_mask(grid: PixelGrid, land: shapely.Geometry | None) -> NDArray[np.bool_]:
    if land is None:
        return np.ones((grid.height, grid.width), dtype=bool)
    outline = reprojected(land, "EPSG:4326", grid.epsg)
    if shapely.is_empty(outline):
        return np.zeros((grid.height, grid.width), dtype=bool)
    mask = rasterio.features.rasterize(
        [outline], out_shape=(grid.height, grid.width), transform=grid.transform, dtype="uint8"
    )
    return np.asarray(mask, dtype=bool)
