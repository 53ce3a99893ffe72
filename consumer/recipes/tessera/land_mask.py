"""Which pixels of a tile are land: the boundaries in use, widened by a stated margin, on the tile's grid.

A pixel counts as land when the widened land touches it at all, so that no islet falls between pixel
centres. The mask decides what is read and inferred, and gives the published tile its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyogrio.raw
import rasterio
import rasterio.features
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio.errors import RasterioError

from consumer.imagery.pixel_grid import PixelGrid, from_lonlat
from contract.errors import WorkerUnfit

METRES_PER_DEGREE = 110_000.0
"""Of latitude, rounded down: a margin in degrees must not come out too small."""


def land_mask(land: Path, grid: PixelGrid, margin_metres: float) -> NDArray[np.uint8]:
    """(height, width), 1 = land. `land` is a FlatGeobuf of polygons in degrees (longitude, latitude).

    WorkerUnfit when the file cannot be read: it was checked when it was fetched, so the disk is at fault.
    """
    polygons = _to_metres(_land_near(land, grid, margin_metres), grid)
    widened = shapely.buffer(polygons, margin_metres) if margin_metres > 0 else polygons
    shapes = [shape for shape in widened if not shapely.is_empty(shape)]
    if not shapes:
        return np.zeros(grid.shape, dtype=np.uint8)
    mask: NDArray[np.uint8] = rasterio.features.rasterize(
        shapes, out_shape=grid.shape, transform=grid.transform, all_touched=True, dtype="uint8"
    )
    return mask


def land_window(mask: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Rows and columns of the smallest window around all land; empty slices if there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def write_land_mask(path: Path, mask: NDArray[np.uint8], grid: PixelGrid, tags: Mapping[str, str]) -> None:
    """A GeoTIFF of one band, 0 = water and 1 = land; the same input gives the same bytes."""
    try:
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=1,
            dtype="uint8",
            crs=grid.crs,
            transform=grid.transform,
            compress="deflate",
        ) as file:
            file.write(mask, 1)
            file.update_tags(**tags)
    except RasterioError as error:
        raise WorkerUnfit(f"the land mask could not be written to {path}: {error}") from error


def _land_near(land: Path, grid: PixelGrid, margin_metres: float) -> NDArray[np.object_]:
    """Land within the margin of the grid, cut to a box in degrees: coordinates far away do not fit UTM."""
    west, south, east, north = grid.lonlat_bounds
    up = 2 * margin_metres / METRES_PER_DEGREE + 0.01
    across = up / max(np.cos(np.radians(max(abs(south), abs(north)))), 0.01)
    box = (west - across, south - up, east + across, north + up)
    try:
        _, _, encoded, _ = pyogrio.raw.read(land, columns=[], bbox=box)
    except (DataSourceError, DataLayerError) as error:
        raise WorkerUnfit(f"the land polygons in {land} cannot be read: {error}") from error
    return np.asarray(shapely.clip_by_rect(shapely.from_wkb(encoded), *box))


def _to_metres(polygons: NDArray[np.object_], grid: PixelGrid) -> NDArray[np.object_]:
    def project(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(lonlat[:, 0], lonlat[:, 1]))

    transformer = from_lonlat(grid.epsg)
    return np.asarray(shapely.transform(polygons, project))
