"""Reads one band of one scene onto a grid: one request for the header, one or two for the blocks, then arithmetic.

Many threads wait for storages while few decode, so that connections do not cost cores. GDAL does no
HTTP here: it hides statuses, remembers failures for the life of the process, and asks a HEAD first.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from consumer.imagery.connections import Answer
from consumer.imagery.fetch import Fetcher
from consumer.imagery.layer import Layer
from consumer.imagery.losses import FileLost
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.remote_file import FileChanged, RemoteFile
from consumer.imagery.search import Scene
from consumer.imagery.sign import Signer, without_token
from consumer.imagery.tally import Tally
from consumer.imagery.tiff import Damaged, Misplaced, Raster, open_raster
from consumer.imagery.turns import Turns
from consumer.imagery.warp import Placement, place, resample

TRIES = 2
"""Of a whole file: one that was replaced meanwhile, or damaged on the way, is right the second time."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


class SceneReader:
    """Reads files of scenes onto pixel grids; safe to share between threads."""

    def __init__(self, signer: Signer, turns: Turns | None = None, decoders: int | None = None) -> None:
        """`decoders`: files decoded at a time; by default one per core."""
        self._fetcher = Fetcher(signer, turns)
        self._decoders = ThreadPoolExecutor(decoders or cores(), thread_name_prefix="decode")

    def read(
        self, scene: Scene, band: str, grid: PixelGrid, layer: Layer, tally: Tally
    ) -> NDArray[np.generic]:
        """The band's pixels on the grid, (height, width) of the layer's type.

        FileLost when the file is gone, broken or lies elsewhere; TryLater when its storage refused or
        throttled us to the end; Stopped when the tally's `stop` is set meanwhile.
        """
        href = scene.assets[band]
        if not href.startswith(("http://", "https://")):
            raise FileLost("unreadable", f"{without_token(href)[:200]} is not an http address")
        for attempt in range(TRIES):
            try:
                return self._read_once(scene, band, grid, layer, tally)
            except Misplaced as error:
                raise FileLost("misplaced", f"{without_token(href)}: {error}") from error
            except (Damaged, FileChanged, RasterioError) as error:
                if attempt == TRIES - 1:
                    raise FileLost("unreadable", f"{without_token(href)}: {error}") from error
        raise AssertionError("the last try ends above")

    def _read_once(
        self, scene: Scene, band: str, grid: PixelGrid, layer: Layer, tally: Tally
    ) -> NDArray[np.generic]:
        with RemoteFile(partial(self._get, scene.assets[band], tally)) as file:
            raster, placement = self._plan(file, scene, band, grid, layer)
            if placement.is_empty:
                return np.full(grid.shape, layer.nodata, dtype=layer.dtype)
            file.fetch(where for _, where in raster.blocks(placement.window))
            return self._decoders.submit(_decode, raster, placement, file, grid, layer).result()

    def _get(self, href: str, tally: Tally, first: int, last: int) -> Answer:
        return self._fetcher.get(href, first, last, tally)

    def _plan(
        self, file: RemoteFile, scene: Scene, band: str, grid: PixelGrid, layer: Layer
    ) -> tuple[Raster, Placement]:
        raster = open_raster(file, grid.resolution)
        check_type(raster, layer)
        check_place(raster, scene, band)
        return raster, place(raster, grid)


def _decode(
    raster: Raster, placement: Placement, file: RemoteFile, grid: PixelGrid, layer: Layer
) -> NDArray[np.generic]:
    return resample(raster.read(placement.window, file), raster, placement, grid, layer)


def check_type(raster: Raster, layer: Layer) -> None:
    """Damaged when the file holds another kind of numbers than its band is known for."""
    expected = layer.stored_as or (layer.dtype,)
    if raster.dtype.name not in expected:
        raise Damaged(f"it holds {raster.dtype}, expected {' or '.join(expected)}")


def check_place(raster: Raster, scene: Scene, band: str) -> None:
    """Misplaced when the file lies elsewhere than the catalogue says; what it does not say is not compared."""
    stated = scene.stated.get(band)
    if stated is None:
        return
    if stated.epsg is not None and raster.crs != f"EPSG:{stated.epsg}":
        raise Misplaced(f"it is in {raster.crs}, the catalogue says EPSG:{stated.epsg}")
    if stated.corners is not None:
        found = raster.corners
        tolerance = abs(found[2] - found[0]) / raster.shape[1]  # one pixel
        if max(abs(one - other) for one, other in zip(found, stated.corners, strict=True)) > tolerance:
            raise Misplaced(
                f"its corners are {_rounded(found)}, the catalogue says {_rounded(stated.corners)}"
            )


def _rounded(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.0f}" for number in numbers)
