"""A tile's name: made, printed, parsed.

A tile is one cell of the 0.1-degree grid, named by its centre (`grid_-4.55_54.15`), or one web-map
tile (`14/8000/5300`). Cells are integers here: binary floating point errs at edges such as 0.3 and
8.2, so a name is printed from an index and parsed back into one, never computed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from contract.errors import BadInput

COLUMNS = range(-1800, 1800)
ROWS = range(-900, 900)
MAX_ZOOM = 24


@dataclass(frozen=True, order=True, slots=True)
class GridCell:
    """The cell [column/10, (column+1)/10] x [row/10, (row+1)/10] in degrees. Sorted by row, then column."""

    row: int
    """South edge in tenths of a degree of latitude, -900..899."""
    column: int
    """West edge in tenths of a degree of longitude, -1800..1799."""

    PATTERN: ClassVar[re.Pattern[str]] = re.compile(r"grid_(-?)(\d{1,3})\.(\d)5_(-?)(\d{1,2})\.(\d)5")

    def __post_init__(self) -> None:
        if self.column not in COLUMNS or self.row not in ROWS:
            raise BadInput(f"there is no grid cell in column {self.column}, row {self.row}")

    @property
    def name(self) -> str:
        return f"grid_{_centre(self.column)}_{_centre(self.row)}"

    @property
    def path_name(self) -> str:
        """The name as one element of a path or blob name."""
        return self.name

    @property
    def centre(self) -> tuple[float, float]:
        """(longitude, latitude) in degrees."""
        return (2 * self.column + 1) / 20, (2 * self.row + 1) / 20

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in degrees."""
        return self.column / 10, self.row / 10, (self.column + 1) / 10, (self.row + 1) / 10

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, order=True, slots=True)
class WebTile:
    """One tile of the XYZ web map (y counts from the north, unlike TMS)."""

    zoom: int
    x: int
    y: int

    PATTERN: ClassVar[re.Pattern[str]] = re.compile(r"(\d{1,2})/(\d{1,8})/(\d{1,8})")

    def __post_init__(self) -> None:
        if self.zoom > MAX_ZOOM or not (0 <= self.x < 2**self.zoom and 0 <= self.y < 2**self.zoom):
            raise BadInput(f"there is no web tile {self.zoom}/{self.x}/{self.y}")

    @property
    def name(self) -> str:
        return f"{self.zoom}/{self.x}/{self.y}"

    @property
    def path_name(self) -> str:
        """The name as one element of a path or blob name."""
        return f"{self.zoom}-{self.x}-{self.y}"

    def __str__(self) -> str:
        return self.name


TileId = GridCell | WebTile


def parse_tile(name: str) -> TileId:
    """The tile of that name; BadInput for anything that is not exactly a name we would print."""
    tile: TileId | None = None
    if match := GridCell.PATTERN.fullmatch(name):
        tile = GridCell(column=_index(*match.group(1, 2, 3)), row=_index(*match.group(4, 5, 6)))
    elif match := WebTile.PATTERN.fullmatch(name):
        tile = WebTile(*(int(part) for part in match.groups()))
    if tile is None or tile.name != name:
        raise BadInput(f"{name[:60]!r} is no tile: write grid_<lon>_<lat> (grid_-4.55_54.15) or z/x/y")
    return tile


def tile_of_path_name(path_name: str) -> TileId | None:
    """The tile whose `path_name` this is; None for a name that no program of ours made."""
    try:
        return parse_tile(path_name if path_name.startswith("grid_") else path_name.replace("-", "/"))
    except BadInput:
        return None


def _centre(index: int) -> str:
    """A cell's centre in degrees with two decimals: -1 gives -0.05, 0 gives 0.05."""
    tenths = index if index >= 0 else -index - 1
    return f"{'-' if index < 0 else ''}{tenths // 10}.{tenths % 10}5"


def _index(sign: str, whole: str, tenth: str) -> int:
    tenths = int(whole) * 10 + int(tenth)
    return -tenths - 1 if sign else tenths
