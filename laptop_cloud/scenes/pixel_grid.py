"""Where pixels lie: UTM zones, Sentinel-2 granules, and the window of them that a place needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from contract.errors import BadInput

Bbox = tuple[float, float, float, float]
"""West, south, east, north: degrees, or metres of a UTM zone where the name says so."""

GRANULE_METRES = 109_800
"""Sentinel-2 granules are squares of 100 km with an overlap of 9.8 km to the east and south."""
_ORIGIN_STEP = 60  # metres; granule corners lie on the common grid of the 10, 20 and 60 m bands
_SQUARE = 100_000
_COLUMN_LETTERS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # by zone modulo 3
_ROW_LETTERS = "ABCDEFGHJKLMNPQRSTUV"
_BAND_LETTERS = "CDEFGHJKLMNPQRSTUVWX"
MARGIN_PIXELS = 16
"""Kept around a place, for tiles whose box in metres reaches a little beyond their box in degrees."""


@dataclass(frozen=True)
class PixelGrid:
    """North-up square pixels; every number is a whole metre or a count of pixels."""

    epsg: int
    left: int
    top: int
    spacing: int
    width: int
    height: int

    @property
    def transform(self) -> Affine:
        """Pixel to metres, for the upper left corner of a pixel."""
        return Affine(self.spacing, 0, self.left, 0, -self.spacing, self.top)

    @property
    def bounds(self) -> Bbox:
        """Left, bottom, right, top in metres."""
        right = self.left + self.width * self.spacing
        return (self.left, self.top - self.height * self.spacing, right, self.top)

    @property
    def xs(self) -> NDArray[np.float64]:
        """Eastings of the pixel centres, (width,)."""
        return self.left + (np.arange(self.width, dtype=np.float64) + 0.5) * self.spacing

    @property
    def ys(self) -> NDArray[np.float64]:
        """Northings of the pixel centres from the top down, (height,)."""
        return self.top - (np.arange(self.height, dtype=np.float64) + 0.5) * self.spacing

    @property
    def columns(self) -> NDArray[np.int64]:
        """A whole number per column that is the same in every grid with a column there."""
        return np.floor(self.xs).astype(np.int64)

    @property
    def rows(self) -> NDArray[np.int64]:
        """A whole number per row that is the same in every grid with a row there."""
        return np.floor(self.ys).astype(np.int64)

    def halved(self) -> PixelGrid:
        """The grid of twice the spacing over the same (even) number of pixels."""
        return PixelGrid(self.epsg, self.left, self.top, 2 * self.spacing, self.width // 2, self.height // 2)


@dataclass(frozen=True)
class Granule:
    """The part of one Sentinel-2 granule that lies over a place."""

    name: str
    """As in the Military Grid Reference System: 30UVF."""
    grid: PixelGrid
    """Of the 10 m bands, or of whatever spacing stands for them."""


def utm_epsg(longitude: float, latitude: float) -> int:
    """The plain UTM zone of a place, without the exceptions of Norway and Svalbard."""
    zone = min(int((longitude + 180) // 6) + 1, 60)
    return (32600 if latitude >= 0 else 32700) + zone


def bounds_in_utm(bbox: Bbox, epsg: int) -> Bbox:
    """The box in metres around a box in degrees, whose edges bend in UTM."""
    to_utm = Transformer.from_crs("EPSG:4326", epsg, always_xy=True)
    west, south, east, north = to_utm.transform_bounds(*bbox, densify_pts=21)
    return (west, south, east, north)


def reprojected(shape: shapely.Geometry, source: int | str, target: int | str) -> shapely.Geometry:
    """The shape with every corner moved from one coordinate system to another, x before y."""
    transformer = Transformer.from_crs(source, target, always_xy=True)

    def move(corners: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(corners[:, 0], corners[:, 1]))

    return shapely.transform(shape, move)


def window_over(bounds: Bbox, *, epsg: int, spacing: int) -> PixelGrid:
    """The pixels over a box in metres and its margin, on the grid through the zone's origin."""
    origin = PixelGrid(epsg, 0, 0, spacing, 0, 0)
    return _window(origin, bounds, limits=(-math.inf, -math.inf, math.inf, math.inf))


def granules_over(bounds: Bbox, *, epsg: int, spacing: int) -> list[Granule]:
    """The granules over a box in metres, cut to it and its margin, in the order of their names."""
    if GRANULE_METRES % (2 * spacing):
        raise BadInput(
            f"spacing of {spacing} m does not divide a granule of {GRANULE_METRES} m into whole pixels: "
            "take 10, 20, 25, 30, 50 or 100"
        )
    west, south, east, north = bounds
    found = []
    for column in range(max(1, int((west - GRANULE_METRES) // _SQUARE)), min(8, int(east // _SQUARE)) + 1):
        for row in range(int(south // _SQUARE), int((north + GRANULE_METRES) // _SQUARE) + 1):
            corner = _corner_grid(column, row, epsg, spacing)
            limits = (corner.left, corner.top - GRANULE_METRES, corner.left + GRANULE_METRES, corner.top)
            if limits[0] < east and limits[2] > west and limits[1] < north and limits[3] > south:
                found.append(Granule(_mgrs_name(column, row, epsg), _window(corner, bounds, limits)))
    return sorted(found, key=lambda granule: granule.name)


def _corner_grid(column: int, row: int, epsg: int, spacing: int) -> PixelGrid:
    left = column * _SQUARE // _ORIGIN_STEP * _ORIGIN_STEP
    top = -(-(row + 1) * _SQUARE // _ORIGIN_STEP) * _ORIGIN_STEP
    return PixelGrid(epsg, left, top, spacing, GRANULE_METRES // spacing, GRANULE_METRES // spacing)


def _window(origin: PixelGrid, bounds: Bbox, limits: Bbox) -> PixelGrid:
    # Pairs of pixels, so that the bands of twice the spacing start at the same corner.
    pair = 2 * origin.spacing
    margin = MARGIN_PIXELS * origin.spacing
    left = math.floor((max(bounds[0] - margin, limits[0]) - origin.left) / pair)
    right = math.ceil((min(bounds[2] + margin, limits[2]) - origin.left) / pair)
    upper = math.floor((origin.top - min(bounds[3] + margin, limits[3])) / pair)
    lower = math.ceil((origin.top - max(bounds[1] - margin, limits[1])) / pair)
    return PixelGrid(
        origin.epsg,
        origin.left + left * pair,
        origin.top - upper * pair,
        origin.spacing,
        2 * (right - left),
        2 * (lower - upper),
    )


def _mgrs_name(column: int, row: int, epsg: int) -> str:
    zone = epsg % 100
    to_degrees = Transformer.from_crs(epsg, "EPSG:4326", always_xy=True)
    _, latitude = to_degrees.transform((column + 0.5) * _SQUARE, (row + 0.5) * _SQUARE)
    band = _BAND_LETTERS[max(0, min(int((latitude + 80) // 8), 19))]
    # The letters of even zones run five rows ahead.
    row_letter = _ROW_LETTERS[(row + (5 if zone % 2 == 0 else 0)) % 20]
    return f"{zone:02d}{band}{_COLUMN_LETTERS[zone % 3][column - 1]}{row_letter}"
