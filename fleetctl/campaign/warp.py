"""One tile's picture, from its own map projection into its rectangle of the canvas."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import rasterio.warp
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from contract.errors import BadInput
from contract.tile_id import GridCell
from fleetctl.campaign.canvas import Canvas

LONLAT = CRS.from_epsg(4326)
MOST_PIXELS = 64_000_000
"""Of one tile's picture: a cell at 10 m has below a million, at the resolution of aerial images some ten."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pixels of a tile lie."""

    crs: CRS
    transform: Affine
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A tile's preview, perhaps with fewer pixels than it came with."""

    pixels: NDArray[np.uint8]
    """(rows, columns, 4): colours multiplied by alpha, since averaging must not mix in the colour of
    transparent pixels; and alpha."""
    width: int
    """As it came."""
    height: int
    reduction: int
    """Each pixel stands for a square of so many; the last ones of a row or column may stand for fewer."""

    def transform(self, place: Place) -> Affine:
        """Pixel to place. A preview may itself be coarser than the tile that it shows."""
        across = place.width / self.width * self.reduction
        down = place.height / self.height * self.reduction
        t = place.transform
        # Written out: affine 2 has only `*` for this and affine 3 only wants `@`.
        return Affine(t.a * across, t.b * down, t.c, t.d * across, t.e * down, t.f)


def read_place(tiff: bytes) -> Place:
    """The place of a tile, from its land mask. BadInput when that is no GeoTIFF with a place."""
    try:
        with MemoryFile(tiff) as memory, memory.open(driver="GTiff") as file:
            place = Place(file.crs, file.transform, file.width, file.height)
    except RasterioError as error:
        raise BadInput(f"it is no readable GeoTIFF: {error}") from error
    if place.crs is None:
        raise BadInput("it names no coordinate system")
    return place


def read_picture(png: bytes, shown_height: int) -> Picture:
    """The picture, reduced to at least twice `shown_height` rows: the warp is what costs, and it averages
    the rest. BadInput when it is no picture, or too large."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadInput(f"it has {picture.width} x {picture.height} pixels, more than any preview")
            reduction = max(picture.height // (2 * shown_height), 1)
            pixels = np.asarray(picture.convert("RGBA").convert("RGBa").reduce(reduction))
            return Picture(pixels, picture.width, picture.height, reduction)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise BadInput(f"it is no readable PNG: {error}") from error


def warp_to_cell(picture: Picture, place: Place, cell: GridCell, canvas: Canvas) -> NDArray[np.uint8]:
    """A cell's rectangle of the canvas: (cell_height, cell_width, 4), colours multiplied by alpha.

    Shrinking averages; enlarging repeats pixels, so that what one sees is data and not interpolation.
    """
    x_degrees, y_degrees = canvas.degrees_per_pixel()
    west, _, _, north = cell.bounds
    target = np.zeros((4, canvas.cell_height, canvas.cell_width), dtype=np.uint8)
    is_shrinking = picture.height > canvas.cell_height
    rasterio.warp.reproject(
        np.ascontiguousarray(picture.pixels.transpose(2, 0, 1)),
        target,
        src_transform=picture.transform(place),
        src_crs=place.crs,
        dst_transform=Affine(x_degrees, 0, west, 0, -y_degrees, north),
        dst_crs=LONLAT,
        resampling=rasterio.warp.Resampling.average if is_shrinking else rasterio.warp.Resampling.nearest,
    )
    return target.transpose(1, 2, 0)
