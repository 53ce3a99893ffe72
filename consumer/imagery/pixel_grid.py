"""The grid of pixels that a tile's imagery, masks and results lie on: UTM, north up, square pixels.

The rule is that of the published embeddings, so that ours line up with them: the box around the
cell's outline in the UTM zone of its centre, from its upper left corner on, never snapped to round
coordinates. Neighbouring cells overlap a little, as their outlines are not parallel to the axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from affine import Affine
from pyproj import Transformer

from contract.errors import GiveUp
from contract.tile_id import GridCell, TileId

Box = tuple[float, float, float, float]
"""(left, bottom, right, top), or (west, south, east, north) in degrees."""

_GEOGRAPHIC = 4326
_POINTS_PER_EDGE = 21
"""An edge of the cell is bent in UTM: so many points on it are transformed to find the box."""


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """Where each pixel of an array (height, width) lies."""

    epsg: int
    """326zz or 327zz: WGS 84 / UTM zone zz north or south."""
    left: float
    """Easting of the outer edge of the first column, metres."""
    top: float
    """Northing of the outer edge of the first row, metres."""
    resolution: float
    """Edge of a pixel in metres."""
    width: int
    height: int

    @property
    def crs(self) -> str:
        return f"EPSG:{self.epsg}"

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)"""
        return self.height, self.width

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def transform(self) -> Affine:
        """(column, row) -> (easting, northing) of the pixel's upper left corner."""
        return Affine(self.resolution, 0.0, self.left, 0.0, -self.resolution, self.top)

    @property
    def bounds(self) -> Box:
        """(left, bottom, right, top) in metres."""
        return (
            self.left,
            self.top - self.height * self.resolution,
            self.left + self.width * self.resolution,
            self.top,
        )

    @property
    def lonlat_bounds(self) -> Box:
        """(west, south, east, north) in degrees; what reaches over the antimeridian is cut off."""
        west, south, east, north = from_lonlat(self.epsg).transform_bounds(
            *self.bounds, densify_pts=_POINTS_PER_EDGE, direction="INVERSE"
        )
        if west > east:
            is_east_of_it = self.epsg % 100 == 1  # zone 1 begins at 180 degrees, zone 60 ends there
            west, east = (-180.0, east) if is_east_of_it else (west, 180.0)
        return west, south, east, north

    def crop(self, rows: slice, columns: slice) -> PixelGrid:
        """The part of the grid that indexing an array with (rows, columns) leaves."""
        first_row, last_row, _ = rows.indices(self.height)
        first_column, last_column, _ = columns.indices(self.width)
        return PixelGrid(
            epsg=self.epsg,
            left=self.left + first_column * self.resolution,
            top=self.top - first_row * self.resolution,
            resolution=self.resolution,
            width=last_column - first_column,
            height=last_row - first_row,
        )


def grid_of(tile: TileId, resolution: float) -> PixelGrid:
    """The tile's grid with pixels of `resolution` metres; GiveUp for anything but a 0.1-degree cell."""
    if not isinstance(tile, GridCell):
        raise GiveUp(f"{tile} is a web tile, but this grid is made of 0.1-degree cells (grid_<lon>_<lat>)")
    epsg = utm_zone(*tile.centre)
    left, bottom, right, top = from_lonlat(epsg).transform_bounds(*tile.bounds, densify_pts=_POINTS_PER_EDGE)
    return PixelGrid(
        epsg=epsg,
        left=left,
        top=top,
        resolution=resolution,
        width=math.ceil((right - left) / resolution),
        height=math.ceil((top - bottom) / resolution),
    )


def utm_zone(longitude: float, latitude: float) -> int:
    """EPSG code of the plain six-degree zone: no exceptions for Norway and Svalbard, as published."""
    zone = math.floor((longitude + 180) / 6) + 1
    return (32600 if latitude >= 0 else 32700) + zone


@cache
def from_lonlat(epsg: int) -> Transformer:
    """Degrees (longitude, latitude) -> metres (easting, northing). PROJ's objects are costly to make."""
    return Transformer.from_crs(_GEOGRAPHIC, epsg, always_xy=True)
