"""What a GeoTIFF says of itself, and the blocks of it that a window needs. tifffile reads, imagecodecs decodes.

Everything in a file comes from outside: its sizes are checked before memory is taken for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, BinaryIO, cast

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from tifffile import TiffFile, TiffPage

from consumer.imagery.remote_file import HEADER_BYTES, Range, RemoteFile

LONGEST_EDGE_PIXELS = 1 << 16
LARGEST_BLOCK_PIXELS = 1 << 24
LARGEST_WINDOW_PIXELS = 1 << 28
MOST_BLOCKS = 1 << 18
MOST_LEVELS = 16
REDUCED = 1
"""Bit of NewSubfileType: a page that shows the same at a lower resolution."""
TRANSPARENCY_MASK = 4
_USER_DEFINED = 32767
_PIXEL_IS_POINT = 2
_GDAL_NODATA = 42113

Window = tuple[slice, slice]
"""Rows and columns, within the raster."""


class Damaged(Exception):
    """It is no raster of one band that could be read."""


class Misplaced(Exception):
    """It does not say, or not believably, where on Earth it lies."""


@dataclass(frozen=True, eq=False)
class Raster:
    """One page of a GeoTIFF: the image itself or an overview."""

    page: TiffPage
    crs: CRS | str
    """As rasterio takes it. A name where there is one: CRS objects are not for several threads."""
    is_projected: bool
    transform: Affine
    nodata: float | None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)"""
        return int(self.page.imagelength), int(self.page.imagewidth)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype(self.page.dtype)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """(x, y) of the upper left corner, then of the lower right one."""
        rows, columns = self.shape
        return (*(self.transform @ (0, 0)), *(self.transform @ (columns, rows)))

    @property
    def pixel_metres(self) -> float | None:
        """Edge of a pixel; None where units are degrees or pixels lie askew."""
        if not self.is_projected or self.transform.b or self.transform.d:
            return None
        return abs(float(self.transform.a))

    @property
    def is_north_up(self) -> bool:
        steps = self.transform
        return not steps.b and not steps.d and steps.a > 0 > steps.e

    def blocks(self, window: Window) -> Iterator[tuple[int, Range]]:
        """(number, range in the file) of each block that the window touches; a length of 0: all no data."""
        height, width = self._block_shape
        across = math.ceil(self.shape[1] / width)
        for row in range(window[0].start // height, math.ceil(window[0].stop / height)):
            for column in range(window[1].start // width, math.ceil(window[1].stop / width)):
                number = row * across + column
                yield number, (int(self.page.dataoffsets[number]), int(self.page.databytecounts[number]))

    def read(self, window: Window, file: RemoteFile) -> NDArray[np.generic]:
        """The window's pixels, (rows, columns), once its blocks are here. Damaged where one is broken."""
        rows, columns = window
        fill = 0 if self.nodata is None else self.nodata
        pixels = np.full((rows.stop - rows.start, columns.stop - columns.start), fill, dtype=self.dtype)
        for number, (first, length) in self.blocks(window):
            if length:
                self._place(number, file.bytes_at(first, length), pixels, window)
        return pixels

    def check(self, total_bytes: int) -> None:
        """Damaged unless its sizes are believable and it has all its blocks."""
        page, (height, width) = self.page, self.shape
        if page.samplesperpixel != 1 or page.imagedepth != 1:
            raise Damaged(f"it has {page.samplesperpixel} bands, expected one")
        if not (0 < height <= LONGEST_EDGE_PIXELS and 0 < width <= LONGEST_EDGE_PIXELS):
            raise Damaged(f"it is {width} x {height} pixels, expected at most {LONGEST_EDGE_PIXELS} each way")
        block_height, block_width = self._block_shape
        if not 0 < block_height * block_width <= LARGEST_BLOCK_PIXELS:
            raise Damaged(f"its blocks are {block_width} x {block_height} pixels")
        count = math.ceil(height / block_height) * math.ceil(width / block_width)
        if not count == len(page.dataoffsets) == len(page.databytecounts) <= MOST_BLOCKS:
            raise Damaged(f"it lists {len(page.dataoffsets)} blocks, expected {count}")
        end = max(
            (first + length for first, length in zip(page.dataoffsets, page.databytecounts, strict=True))
        )
        if end > total_bytes:
            raise Damaged(f"it is cut: expected at least {end} bytes, got {total_bytes}")

    @property
    def _block_shape(self) -> tuple[int, int]:
        height, width = self.page.chunks[:2]
        return int(height), int(width)

    def _place(self, number: int, data: memoryview, pixels: NDArray[np.generic], window: Window) -> None:
        try:
            decoded, position, shape = self.page.decode(cast("bytes", data), number)
        except Exception as error:  # each codec has errors of its own, and all mean the same
            raise Damaged(f"its block {number} cannot be decoded: {error}") from error
        if decoded is None:
            raise Damaged(f"its block {number} is empty")
        rows, columns = window
        top, left = position[2], position[3]
        block_rows = slice(max(rows.start, top), min(rows.stop, top + shape[1]))
        block_columns = slice(max(columns.start, left), min(columns.stop, left + shape[2]))
        pixels[
            block_rows.start - rows.start : block_rows.stop - rows.start,
            block_columns.start - columns.start : block_columns.stop - columns.start,
        ] = decoded[
            0,
            block_rows.start - top : block_rows.stop - top,
            block_columns.start - left : block_columns.stop - left,
            0,
        ]


def open_raster(file: RemoteFile, wanted_metres: float) -> Raster:
    """The image, or its coarsest overview whose pixels are no larger than wanted.

    Damaged when it is no readable raster of one band, Misplaced when it lacks a georeference.
    """
    try:
        tiff = TiffFile(cast("BinaryIO", file), name="scene")
        page = tiff.pages.first
        full = Raster(page, *_crs_of(page, file), _transform_of(page), _nodata_of(page))
        chosen = _coarsest(tiff, full, wanted_metres)
        chosen.check(file.total_bytes)
    except (Damaged, Misplaced):
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        ZeroDivisionError,
        EOFError,
    ) as error:
        raise Damaged(f"its header cannot be read: {error}") from error
    return chosen


def fitting_overview(native_metres: float | None, factors: list[float], wanted_metres: float) -> int | None:
    """Index of the coarsest overview with pixels no larger than wanted; None: the file itself.

    `factors` are the overviews' reductions (2, 4, 8).
    """
    if native_metres is None:
        return None
    # Half a percent: overviews of an odd number of pixels are a little off their nominal factor.
    fine_enough = [
        (factor, index)
        for index, factor in enumerate(factors)
        if native_metres * factor <= wanted_metres * 1.005
    ]
    return max(fine_enough)[1] if fine_enough else None


def _coarsest(tiff: TiffFile, full: Raster, wanted_metres: float) -> Raster:
    native = full.pixel_metres
    if native is None or wanted_metres < 2 * native / 1.005:
        return full  # without a look at the other pages
    pages = [page for page in _levels(tiff) if page.shape[:2] != full.shape]
    factors = [full.shape[1] / page.imagewidth for page in pages]
    index = fitting_overview(native, factors, wanted_metres)
    if index is None:
        return full
    page = pages[index]
    scale = Affine.scale(full.shape[1] / page.imagewidth, full.shape[0] / page.imagelength)
    return replace(full, page=page, transform=full.transform @ scale)


def _levels(tiff: TiffFile) -> Iterator[TiffPage]:
    for number in range(1, MOST_LEVELS):
        try:
            page: Any = tiff.pages[number]
        except IndexError:
            return
        kind = int(page.subfiletype or 0)
        if isinstance(page, TiffPage) and kind & REDUCED and not kind & TRANSPARENCY_MASK:
            yield page


def _transform_of(page: TiffPage) -> Affine:
    tags = page.geotiff_tags or {}
    matrix, scale, tie = (tags.get(f"Model{name}") for name in ("Transformation", "PixelScale", "Tiepoint"))
    if matrix is not None:
        a, b, _, c, d, e, _, f = (float(number) for number in np.ravel(matrix)[:8])
        transform = Affine(a, b, c, d, e, f)
    elif scale is not None and tie is not None and len(np.ravel(tie)) == 6:
        column, row, _, x, y, _ = (float(number) for number in np.ravel(tie))
        transform = Affine(scale[0], 0, x - column * scale[0], 0, -scale[1], y + row * scale[1])
    else:
        raise Misplaced("it has no georeference")
    if tags.get("GTRasterTypeGeoKey") == _PIXEL_IS_POINT:
        transform = transform @ Affine.translation(-0.5, -0.5)
    if not all(math.isfinite(number) for number in transform) or transform.is_degenerate:
        raise Misplaced("its georeference has no area")
    return transform


def _crs_of(page: TiffPage, file: RemoteFile) -> tuple[CRS | str, bool]:
    """The coordinate system, and whether it counts metres."""
    code = int((page.geotiff_tags or {}).get("ProjectedCSTypeGeoKey", _USER_DEFINED))
    if 0 < code < _USER_DEFINED:
        return f"EPSG:{code}", _is_projected(code)
    try:
        # GDAL knows all ways to spell one out, and needs only the header for it.
        with (
            MemoryFile(bytes(file.bytes_at(0, HEADER_BYTES))) as memory,
            memory.open(driver="GTiff") as header,
        ):
            crs = header.crs
    except RasterioError as error:
        raise Misplaced(f"its coordinate system cannot be read: {error}") from error
    if crs is None:
        raise Misplaced("it has no coordinate system")
    epsg = crs.to_epsg()
    return (crs if epsg is None else f"EPSG:{epsg}"), bool(crs.is_projected)


@cache
def _is_projected(epsg: int) -> bool:
    try:
        return bool(CRS.from_epsg(epsg).is_projected)
    except RasterioError as error:
        raise Misplaced(f"its coordinate system EPSG:{epsg} does not exist") from error


def _nodata_of(page: TiffPage) -> float | None:
    tag = page.tags.get(_GDAL_NODATA)
    if tag is None:
        return None
    try:
        nodata = float(str(tag.value).strip("\0 "))
    except ValueError as error:
        raise Damaged(f"its no-data value {str(tag.value)[:20]!r} is no number") from error
    dtype = np.dtype(page.dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if not (limits.min <= nodata <= limits.max and nodata == int(nodata)):
            raise Damaged(f"its no-data value {nodata:g} is none of its type {dtype}")
    return nodata
