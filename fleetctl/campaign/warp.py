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
class Placed:
    """Where the pixels of a tile lie."""

    crs: CRS
    transform: Affine
    width: int
    height: int

    def transform_of(self, width: int, height: int) -> Affine:
        """Pixel to place, for a picture of the same area that may have fewer pixels."""
        # Written out: affine 2 has only `*` for this and affine 3 only wants `@`.
        across, down, t = self.width / width, self.height / height, self.transform
        return Affine(t.a * across, t.b * down, t.c, t.d * across, t.e * down, t.f)


def read_place(tiff: bytes) -> Placed:
    """The place of a tile, from its land mask. BadInput when that is no GeoTIFF with a place."""
    try:
        with MemoryFile(tiff) as memory, memory.open(driver="GTiff") as file:
            placed = Placed(file.crs, file.transform, file.width, file.height)
    except RasterioError as error:
        raise BadInput(f"it is no readable GeoTIFF: {error}") from error
    if placed.crs is None:
        raise BadInput("it names no coordinate system")
    return placed


def read_picture(png: bytes) -> NDArray[np.uint8]:
    """(H, W, 4), RGBA. BadInput when it is no picture, or too large."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadInput(f"it has {picture.width} x {picture.height} pixels, more than any preview")
            return np.asarray(picture.convert("RGBA"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise BadInput(f"it is no readable PNG: {error}") from error


def warp_to_cell(
    picture: NDArray[np.uint8], placed: Placed, cell: GridCell, canvas: Canvas
) -> NDArray[np.uint8]:
    """A cell's rectangle of the canvas, (cell_height, cell_width, 4), colours multiplied by alpha.

    Multiplied before the warp, since averaging must not mix in the colour of transparent pixels.
    Shrinking averages; enlarging repeats pixels, so that what one sees is data and not interpolation.
    """
    height, width = picture.shape[:2]
    x_degrees, y_degrees = canvas.degrees_per_pixel()
    west, _, _, north = cell.bounds
    alpha = picture[:, :, 3:].astype(np.float32) / 255
    weighted = np.concatenate([picture[:, :, :3] * alpha, alpha * 255], axis=2).astype(np.float32)
    target = np.zeros((4, canvas.cell_height, canvas.cell_width), dtype=np.float32)
    is_shrinking = height > canvas.cell_height
    rasterio.warp.reproject(
        np.ascontiguousarray(weighted.transpose(2, 0, 1)),
        target,
        src_transform=placed.transform_of(width, height),
        src_crs=placed.crs,
        dst_transform=Affine(x_degrees, 0, west, 0, -y_degrees, north),
        dst_crs=LONLAT,
        resampling=rasterio.warp.Resampling.average if is_shrinking else rasterio.warp.Resampling.nearest,
    )
    return np.rint(target).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
