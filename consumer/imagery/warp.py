"""One file's pixels on a tile's grid, through GDAL: only the blocks that the grid touches are fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT

from consumer.imagery.pixel_grid import PixelGrid

READ_ERRORS = (RasterioError, rasterio._err.CPLE_BaseError)  # noqa: SLF001  GDAL's own come through at times
"""What `read_on_grid` raises when the file or the way to it is at fault."""

# Measured against a counting server: one HEAD, one header and one or two merged ranges per file.
# CPL_VSIL_CURL_ALLOWED_EXTENSIONS saves no request beside EMPTY_DIR and refuses signed addresses
# without a file extension, so it is not here.
GDAL_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_INGESTED_BYTES_AT_OPEN": 32768,  # the header with its block index, in one request
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_CONNECTTIMEOUT": 5,  # seconds
    "GDAL_HTTP_TIMEOUT": 60,  # seconds, for a whole answer
    "GDAL_HTTP_LOW_SPEED_TIME": 20,  # seconds below the next line's bytes per second
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1000,
    "GDAL_HTTP_MAX_RETRY": 1,  # read.py retries with a look at the reason
    "GDAL_HTTP_RETRY_DELAY": 0.5,  # seconds
    "GDAL_CACHEMAX": 64,  # MB for all threads; no block of a scene is read twice
    "GDAL_NUM_THREADS": 1,  # tiles and bands are read in parallel already
}


@dataclass(frozen=True, slots=True)
class Layer:
    """How a kind of file is brought onto the grid."""

    dtype: str
    nodata: float
    """Stands for "no data" in the file, if the file itself does not say, and in what is returned."""
    is_bilinear: bool
    """Otherwise the nearest pixel is taken."""


def read_on_grid(path: str, grid: PixelGrid, layer: Layer) -> NDArray[np.generic]:
    """The first band at `path` (a file, or /vsicurl/...) on the grid: (height, width) of the layer's dtype.

    What the file does not cover is `layer.nodata`. On a coarse grid the coarsest overview that is
    still at least as fine is read, so that a preview at 200 m does not fetch every 10 m pixel.
    """
    with rasterio.Env(**GDAL_OPTIONS), rasterio.open(path, driver="GTiff") as full:
        level = fitting_overview(_metres_per_pixel(full), full.overviews(1), grid.resolution)
        if level is None:
            return _warp(full, grid, layer)
        with rasterio.open(path, driver="GTiff", overview_level=level) as overview:
            return _warp(overview, grid, layer)


def fitting_overview(native_metres: float | None, factors: Sequence[int], wanted_metres: float) -> int | None:
    """Index of the coarsest overview with pixels no larger than wanted; None: the file itself.

    `factors` are the overviews' reductions, ascending (2, 4, 8).
    """
    if native_metres is None:
        return None
    # Half a percent: overviews of an odd number of pixels are a little off their nominal factor.
    fine_enough = [
        index for index, factor in enumerate(factors) if native_metres * factor <= wanted_metres * 1.005
    ]
    return fine_enough[-1] if fine_enough else None


def _metres_per_pixel(dataset: Any) -> float | None:
    return float(dataset.res[0]) if dataset.crs is not None and dataset.crs.is_projected else None


def _warp(dataset: Any, grid: PixelGrid, layer: Layer) -> NDArray[np.generic]:
    native_metres = _metres_per_pixel(dataset)
    # Left alone, GDAL estimates the change of scale anew for each chunk and widens its kernel by it:
    # values then depend on the window that is read (by up to 3 % of full scale in noise) and only
    # nearly equal a bilinear interpolation. Stated, they are exact and the same in every window.
    scale = None if native_metres is None else native_metres / grid.resolution
    with WarpedVRT(
        dataset,
        crs=grid.crs,
        transform=grid.transform,
        width=grid.width,
        height=grid.height,
        resampling=Resampling.bilinear if layer.is_bilinear else Resampling.nearest,
        src_nodata=layer.nodata if dataset.nodata is None else dataset.nodata,
        nodata=layer.nodata,
        num_threads=1,
        **({} if scale is None else {"XSCALE": scale, "YSCALE": scale}),
    ) as warped:
        pixels: NDArray[np.generic] = warped.read(1)
    return pixels.astype(layer.dtype, copy=False)
