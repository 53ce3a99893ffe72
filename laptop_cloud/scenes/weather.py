"""Clouds of one overflight, the shadows that they throw, and cirrus: opacities on a pixel grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from laptop_cloud.scenes.noise import Floats, chance, seed_of, smooth_field
from laptop_cloud.scenes.pixel_grid import PixelGrid

CLOUD_TOP_METRES = 1_800
_SUN_AZIMUTH_DEGREES = 162  # mid-morning
_CLOUD_EDGE = 0.45  # of the field's deviation, from clear sky to opaque


@dataclass(frozen=True)
class Sky:
    """Opacities from 0 to 1, (height, width)."""

    cloud: Floats
    billows: Floats
    """How much brighter than its mean a cloud is here, about -1 to 1."""
    cirrus: Floats
    shadow: Floats
    """Of the cloud that stands between this pixel and the sun."""


def sky_over(grid: PixelGrid, *, seed: int, day_of_year: int, latitude: float) -> Sky:
    """The sky of one overflight, whose `seed` decides how clouded the day is: seldom clear, seldom closed."""
    cover = 0.01 + 0.94 * chance(seed, "cloud cover") ** 2
    thin = 0.5 * chance(seed, "cirrus cover") ** 4
    east, north = _towards_the_sun(day_of_year, latitude)
    cloud = _opacity(seed_of(seed, "cloud"), grid.xs, grid.ys, cover, wavelength=13_000)
    shading = _opacity(seed_of(seed, "cloud"), grid.xs + east, grid.ys + north, cover, wavelength=13_000)
    billows = smooth_field(seed_of(seed, "billows"), grid.xs, grid.ys, wavelength=3_000, octaves=4)
    cirrus = _opacity(seed_of(seed, "cirrus"), grid.xs, grid.ys, thin, wavelength=24_000)
    return Sky(cloud, np.tanh(billows), cirrus, shading)


def _opacity(
    seed: int, xs: NDArray[np.float64], ys: NDArray[np.float64], cover: float, wavelength: float
) -> Floats:
    field = smooth_field(seed, xs, ys, wavelength=wavelength, octaves=5)
    threshold = np.float32(ndtri(1 - cover)) if cover > 0 else np.float32(np.inf)
    opacity: Floats = np.clip((field - threshold) / np.float32(_CLOUD_EDGE) + np.float32(0.5), 0, 1)
    return opacity


def _towards_the_sun(day_of_year: int, latitude: float) -> tuple[float, float]:
    """Metres east and north from a shadow to its cloud, for the sun's height at the overflight."""
    declination = -23.44 * math.cos(2 * math.pi * (day_of_year + 10) / 365)
    zenith = min(abs(latitude - declination) + 4, 75)
    length = CLOUD_TOP_METRES * math.tan(math.radians(zenith))
    azimuth = math.radians(_SUN_AZIMUTH_DEGREES if latitude >= 0 else 180 - _SUN_AZIMUTH_DEGREES)
    return length * math.sin(azimuth), length * math.cos(azimuth)
