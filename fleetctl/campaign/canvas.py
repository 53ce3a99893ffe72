"""The sheet that a mosaic is painted on: every cell is the same rectangle of whole pixels. Pure.

Longitude and latitude are its axes, with the width of a cell shrunk by the cosine of the middle
latitude, so that shapes look right there. Since cells are rectangles of the sheet, each tile is
painted exactly into its own and neighbours meet without a seam.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from contract.errors import BadInput
from contract.tile_id import COLUMNS, GridCell

ALL_COLUMNS = len(COLUMNS)


@dataclass(frozen=True, slots=True)
class Canvas:
    """Some rows and columns of cells, row 0 of the picture at the north edge."""

    west_column: int
    """Grid column of the left edge. Columns go on eastwards, across the antimeridian if need be."""
    north_row: int
    """Grid row of the topmost cells."""
    columns: int
    rows: int
    cell_width: int
    """Pixels."""
    cell_height: int
    """Pixels."""

    @property
    def width(self) -> int:
        return self.columns * self.cell_width

    @property
    def height(self) -> int:
        return self.rows * self.cell_height

    def corner(self, cell: GridCell) -> tuple[int, int]:
        """(left, top) of a cell in pixels."""
        column = (cell.column - self.west_column) % ALL_COLUMNS
        return column * self.cell_width, (self.north_row - cell.row) * self.cell_height

    def degrees_per_pixel(self) -> tuple[float, float]:
        """(of longitude, of latitude)"""
        return 0.1 / self.cell_width, 0.1 / self.cell_height


def choose_canvas(cells: Collection[GridCell], longest_pixels: int) -> Canvas:
    """The canvas around these cells whose longer side has at most `longest_pixels`, as long as every
    cell gets a pixel: the whole Earth is 3600 x 1800 cells, so no canvas is larger than that or asked for.

    BadInput without any cell.
    """
    if not cells:
        raise BadInput("there is no tile to show: a mosaic needs at least one cell")
    north, south = max(cell.row for cell in cells), min(cell.row for cell in cells)
    west, columns = _columns_around({cell.column for cell in cells})
    rows = north - south + 1
    # Near the poles a cell is a sliver; a tenth of its height keeps it visible.
    aspect = max(math.cos(math.radians((north + 1 + south) / 20)), 0.1)
    cell_height = max(min(longest_pixels // rows, int(longest_pixels / (columns * aspect))), 1)
    cell_width = max(round(cell_height * aspect), 1)
    if columns * cell_width > longest_pixels:
        cell_width = max(longest_pixels // columns, 1)  # rounding made it one pixel too wide
    if columns > longest_pixels:
        cell_height = 1  # larger than asked for anyhow: as small as it can be
    return Canvas(west, north, columns, rows, cell_width, cell_height)


def lines_show(canvas: Canvas) -> bool:
    """Whether cells are large enough for lines between them not to hide what they separate."""
    return min(canvas.cell_width, canvas.cell_height) >= 16


def _columns_around(occupied: Collection[int]) -> tuple[int, int]:
    """(westmost column, number of columns) of the shortest stretch around the globe with all of them."""
    ordered = sorted(occupied)
    following = [*ordered[1:], ordered[0] + ALL_COLUMNS]
    gaps = [after - column for column, after in zip(ordered, following, strict=True)]
    widest = gaps.index(max(gaps))
    return ordered[(widest + 1) % len(ordered)], ALL_COLUMNS - gaps[widest] + 1
