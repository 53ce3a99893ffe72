"""A window of a raster brought onto a tile's grid: by separable weights where that is exact, else by GDAL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from consumer.imagery.layer import Layer
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.resample import Axis, interpolate, take_nearest
from consumer.imagery.tiff import LARGEST_WINDOW_PIXELS, Damaged, Misplaced, Raster, Window

MARGIN_PIXELS = 3
"""Source pixels beyond the grid's outline that the general warper may look at, times the reduction."""


@dataclass(frozen=True, eq=False)
class Placement:
    """How one raster's pixels get onto one grid."""

    window: Window
    """Rows and columns of the raster that matter; empty when it does not touch the grid."""
    axes: tuple[Axis, Axis] | None
    """Of rows and columns; None: the general way."""

    @property
    def is_empty(self) -> bool:
        rows, columns = self.window
        return bool(rows.start >= rows.stop or columns.start >= columns.stop)


def place(raster: Raster, grid: PixelGrid) -> Placement:
    """Which pixels of the raster the grid needs. Damaged where they would not fit into memory."""
    axes = _axes(raster, grid) if _is_separable(raster, grid) else None
    if axes is not None:
        rows, columns = (slice(*axis.window()) for axis in axes)
    else:
        rows, columns = _outline(raster, grid)
    if (rows.stop - rows.start) * (columns.stop - columns.start) > LARGEST_WINDOW_PIXELS:
        raise Damaged(f"more than {LARGEST_WINDOW_PIXELS} of its pixels lie on the tile")
    return Placement((rows, columns), axes)


def resample(
    pixels: NDArray[np.generic], raster: Raster, placement: Placement, grid: PixelGrid, layer: Layer
) -> NDArray[np.generic]:
    """The window's pixels on the grid: (height, width) of the layer's type."""
    nodata = layer.nodata if raster.nodata is None else raster.nodata
    if placement.axes is None:
        on_grid = _warp(pixels, raster, placement.window, grid, layer)
    else:
        origin = (placement.window[0].start, placement.window[1].start)
        by = interpolate if layer.is_bilinear else take_nearest
        on_grid = by(pixels, origin, *placement.axes, nodata)
        if nodata != layer.nodata and not np.isnan(nodata):
            on_grid[on_grid == on_grid.dtype.type(nodata)] = layer.nodata
    return on_grid.astype(layer.dtype, copy=False)


def _is_separable(raster: Raster, grid: PixelGrid) -> bool:
    """The same coordinate system, and no pixels that several of the source's would have to share:
    there GDAL widens its kernel, and the general way is only taken where pixels are few."""
    native = raster.pixel_metres
    if native is None or not raster.is_north_up or raster.crs != grid.crs:
        return False
    return bool(native >= grid.resolution * (1 - 1e-9))


def _axes(raster: Raster, grid: PixelGrid) -> tuple[Axis, Axis]:
    to_metres = raster.transform
    rows = Axis.between(
        first_edge=grid.top,
        step=-grid.resolution,
        count=grid.height,
        source_edge=to_metres.f,
        source_step=to_metres.e,
        source_pixels=raster.shape[0],
    )
    columns = Axis.between(
        first_edge=grid.left,
        step=grid.resolution,
        count=grid.width,
        source_edge=to_metres.c,
        source_step=to_metres.a,
        source_pixels=raster.shape[1],
    )
    return rows, columns


def _outline(raster: Raster, grid: PixelGrid) -> Window:
    """The part of the raster around the grid's outline, with a margin for the kernel."""
    try:
        left, bottom, right, top = transform_bounds(grid.crs, raster.crs, *grid.bounds, densify_pts=21)
    except RasterioError as error:
        raise Misplaced(f"its coordinate system {raster.crs} does not reach the tile: {error}") from error
    to_pixels = ~raster.transform
    corners = [to_pixels @ corner for corner in ((left, top), (right, top), (right, bottom), (left, bottom))]
    if not np.isfinite(corners).all():
        return slice(0, 0), slice(0, 0)
    native = raster.pixel_metres
    margin = MARGIN_PIXELS * max(1.0, grid.resolution / native if native else 1.0)
    return (
        _cut([row for _, row in corners], margin, raster.shape[0]),
        _cut([column for column, _ in corners], margin, raster.shape[1]),
    )


def _cut(positions: list[float], margin: float, pixels: int) -> slice:
    first = min(max(int(np.floor(min(positions) - margin)), 0), pixels)
    return slice(first, max(min(int(np.ceil(max(positions) + margin)), pixels), first))


def _warp(
    pixels: NDArray[np.generic], raster: Raster, window: Window, grid: PixelGrid, layer: Layer
) -> NDArray[np.generic]:
    native = raster.pixel_metres
    # Left alone, GDAL estimates the change of scale anew for each chunk and widens its kernel by it:
    # values then depend on the window that is read (by up to 3 % of full scale in noise) and only
    # nearly equal a bilinear interpolation. Stated, they are exact and the same in every window.
    scale = {} if native is None else dict.fromkeys(("XSCALE", "YSCALE"), native / grid.resolution)
    # rasterio's reproject would take the array as it is, but silences warnings in a way that threads
    # disturb for each other.
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=pixels.shape[1],
            height=pixels.shape[0],
            count=1,
            dtype=pixels.dtype,
            crs=raster.crs,
            transform=raster.transform @ Affine.translation(window[1].start, window[0].start),
        ) as written:
            written.write(pixels, 1)
        with (
            memory.open() as source,
            WarpedVRT(
                source,
                crs=grid.crs,
                transform=grid.transform,
                width=grid.width,
                height=grid.height,
                resampling=Resampling.bilinear if layer.is_bilinear else Resampling.nearest,
                src_nodata=layer.nodata if raster.nodata is None else raster.nodata,
                nodata=layer.nodata,
                num_threads=1,
                **scale,
            ) as warped,
        ):
            on_grid: NDArray[np.generic] = warped.read(1)
    return on_grid
