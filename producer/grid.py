"""Areas on the 0.1-degree grid: which cells belong to polygons, boxes and tile lists (pure).

The rule: a cell belongs to an area when the two share area, not merely a point or an edge. A set of
cells is a `Mask`, one boolean per cell of the whole grid (6.5 MB): adding up, subtracting and sorting
are then a line each, and 1.6 million cells of land cost no more memory than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
import shapely
from numpy.typing import NDArray

from contract.tile_id import COLUMNS, ROWS, GridCell

Mask = NDArray[np.bool_]
"""(1800 rows, 3600 columns); [0, 0] is the cell whose south-west corner is 180 W, 90 S."""

Cells = NDArray[np.int16]
"""(n, 2): row and column as in GridCell, sorted by row, then column, none twice."""

Area = shapely.Geometry | NDArray[np.object_]
"""One geometry or an array of them; what is not a polygon in there is ignored."""

Blocks = NDArray[np.int64]
"""(n, 2): row and column of the south-west cells of square blocks, as positions in a mask."""

SHRINK_DEGREES = 1e-9
"""How much smaller than itself a cell is tested, on each side. 0.1 mm on the ground: more than what
rounding moves a border that runs along a cell's edge, less than anything that a map can mean."""

BLOCKS_ACROSS = 8
"""A polygon is first cut into about this many blocks each way: fewer are mostly cut again."""

LARGEST_BLOCK = 64
"""Cells per side of the largest block."""


_SOUTH_WEST = np.array([ROWS.start, COLUMNS.start])
"""Row and column of the cell at [0, 0] of a mask."""


def empty_mask() -> Mask:
    return np.zeros((len(ROWS), len(COLUMNS)), dtype=np.bool_)


def cells_of(mask: Mask) -> Cells:
    """The cells of a mask, sorted south to north, then west to east."""
    cells: Cells = (np.argwhere(mask) + _SOUTH_WEST).astype(np.int16)
    return cells


def grid_cells(cells: Cells) -> Iterator[GridCell]:
    """The same cells as tiles, made one at a time."""
    for row, column in cells:
        yield GridCell(row=int(row), column=int(column))


def mask_of_cells(cells: Iterable[GridCell]) -> Mask:
    mask = empty_mask()
    for cell in cells:
        mask[cell.row - ROWS.start, cell.column - COLUMNS.start] = True
    return mask


def mask_of_box(west: Decimal, south: Decimal, east: Decimal, north: Decimal) -> Mask:
    """The cells that share area with a box in degrees; `west > east` is a box across the antimeridian.

    Decimals, because an edge typed as 8.2 is 81.99999999999999 tenths in binary floating point.
    """
    if west > east:
        west_of_180 = mask_of_box(west, south, Decimal(180), north)
        return west_of_180 | mask_of_box(Decimal(-180), south, east, north)
    mask = empty_mask()
    if west < east and south < north:
        mask[_span(south, north, ROWS), _span(west, east, COLUMNS)] = True
    return mask


def _span(low: Decimal, high: Decimal, indices: range) -> slice:
    """The cells between two edges in degrees, as positions in `indices`."""
    first = int((low * 10).to_integral_value(ROUND_FLOOR))
    end = int((high * 10).to_integral_value(ROUND_CEILING))
    return slice(first - indices.start, end - indices.start)


def mask_touching(geometry: Area) -> Mask:
    """The cells that share area with the polygons of `geometry` (valid, EPSG:4326, within +-180 and +-90)."""
    return _mask(geometry, wholly=False)


def mask_within(geometry: Area) -> Mask:
    """The cells that lie wholly inside one polygon of `geometry`."""
    return _mask(geometry, wholly=True)


def polygons_of(geometry: Area) -> NDArray[np.object_]:
    """Every polygon in a geometry or several, also in nested collections; empty ones and lines left out."""
    parts: NDArray[np.object_] = np.atleast_1d(np.asarray(geometry, dtype=object))
    while (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():
        parts = shapely.get_parts(parts)
    areas: NDArray[np.object_] = parts[shapely.area(parts) > 0]
    return areas


def _mask(geometry: Area, *, wholly: bool) -> Mask:
    mask = empty_mask()
    # One by one: each polygon has a tight bounding box, and a prepared test of a country with a
    # thousand islands would look at all of them for every cell of sea.
    for polygon in polygons_of(geometry):
        _add_polygon(mask, polygon, wholly=wholly)
    return mask


def _add_polygon(mask: Mask, polygon: shapely.Polygon, *, wholly: bool) -> None:
    """Set the cells of one polygon: blocks wholly inside at once, those on its border in quarters."""
    shapely.prepare(polygon)
    blocks, side = _first_blocks(polygon)
    while True:
        blocks = blocks[((blocks >= 0) & (blocks < mask.shape)).all(axis=1)]
        boxes = _boxes(blocks, side)
        if side == 1:
            belongs = shapely.covers(polygon, boxes) if wholly else shapely.intersects(polygon, boxes)
            _fill(mask, blocks[belongs], side)
            return
        near = shapely.intersects(polygon, boxes)
        inside = near.copy()
        inside[near] = shapely.covers(polygon, boxes[near])
        _fill(mask, blocks[inside], side)
        blocks, side = _quarters(blocks[near & ~inside], side), side // 2


def _first_blocks(polygon: shapely.Polygon) -> tuple[Blocks, int]:
    """Blocks over a polygon's bounding box, and their side in cells (a power of two)."""
    low, high = np.reshape(shapely.bounds(polygon), (2, 2))[:, ::-1]  # (south, west), (north, east)
    # One cell of margin each way, so that rounding in the product cannot lose one; the extra
    # cells are tested like all others.
    first = np.floor(low * 10).astype(np.int64) - _SOUTH_WEST - 1
    last = np.floor(high * 10).astype(np.int64) - _SOUTH_WEST + 1
    side = 1
    while side < LARGEST_BLOCK and side * BLOCKS_ACROSS < (last - first).max():
        side *= 2
    rows, columns = (np.arange(first[axis] // side, last[axis] // side + 1) * side for axis in (0, 1))
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2), side


def _quarters(blocks: Blocks, side: int) -> Blocks:
    half = side // 2
    corners = np.array([(0, 0), (0, half), (half, 0), (half, half)])
    quarters: Blocks = (blocks[:, np.newaxis, :] + corners).reshape(-1, 2)
    return quarters


def _boxes(blocks: Blocks, side: int) -> NDArray[np.object_]:
    """The blocks in degrees, shrunk. Tenths divided by ten give the double that a typed edge is."""
    south, west = (blocks + _SOUTH_WEST).T
    boxes: NDArray[np.object_] = shapely.box(
        west / 10 + SHRINK_DEGREES,
        south / 10 + SHRINK_DEGREES,
        (west + side) / 10 - SHRINK_DEGREES,
        (south + side) / 10 - SHRINK_DEGREES,
    )
    return boxes


def _fill(mask: Mask, blocks: Blocks, side: int) -> None:
    if side == 1:
        mask[blocks[:, 0], blocks[:, 1]] = True
        return
    for row, column in blocks:
        mask[row : row + side, column : column + side] = True
