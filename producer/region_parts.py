"""One word of a command as an area: a name, `bbox:w,s,e,n`, a vector file, a list of tiles or one tile."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

import numpy as np
import shapely
from numpy.typing import NDArray

from contract.errors import BadInput
from contract.tile_id import GridCell, parse_tile
from producer.boundaries import Boundaries
from producer.grid import Mask, mask_of_box, mask_of_cells, mask_touching, polygons_of
from producer.vector_files import areas_in_degrees, read_layers

BBOX_PREFIX = "bbox:"
TILE_PREFIX = "grid_"
TILE_LIST_SUFFIX = ".txt"
STANDARD_INPUT = "-"

FILE_SUFFIXES = {".fgb", ".geojson", ".gml", ".gpkg", ".json", ".kml", ".parquet", ".shp", ".txt", ".zip"}
"""With one of these a word is meant to be a file, also when there is none of that name."""

MAX_LIST_BYTES = 256 * 2**20
"""All 6.5 million cells of the grid take 130 MB."""

MAX_DIGITS = 24
"""Of one number of a box: less than what Decimal keeps when it is multiplied."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that was asked for."""

    label: str
    """As a piece of a job's name: lower-case letters, digits and hyphens."""
    mask: Mask
    """The cells that it has."""
    polygons: NDArray[np.object_] | None
    """Its area in longitude and latitude; None for a list of tiles, whose area is that of the cells."""


def read_part(word: str, boundaries: Boundaries, standard_input: TextIO | None = None) -> Part:
    """The area that a word stands for. A name wins over a file; write `./Wales` for a file of that name.

    BadInput says what is wrong with it, and for a name that is nearly right which one was meant.
    """
    path = Path(word).expanduser()
    if boundaries.has(word) and "/" not in word:
        return _named(word, boundaries)
    if word.lower().startswith(BBOX_PREFIX):
        return _read_box(word)
    if word == STANDARD_INPUT:
        return _read_standard_input(standard_input)
    if path.exists() or path.suffix.lower() in FILE_SUFFIXES or "/" in word:
        return _read_tile_list(path) if path.suffix.lower() == TILE_LIST_SUFFIX else _read_polygons(path)
    if word.startswith(TILE_PREFIX):
        return Part(slug(word), mask_of_cells([_grid_cell(word)]), None)
    return _named(word, boundaries)


def slug(text: str) -> str:
    """Text as lower-case letters, digits and single hyphens; `region` when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "region"


def _named(word: str, boundaries: Boundaries) -> Part:
    polygons = polygons_of(boundaries.find(word).geometry)
    return Part(slug(word), mask_touching(polygons), polygons)


def _read_box(word: str) -> Part:
    """`bbox:w,s,e,n` in degrees; west > east goes across the antimeridian."""
    numbers = [_degrees(text, word) for text in word[len(BBOX_PREFIX) :].split(",")]
    if len(numbers) != 4:
        raise BadInput(
            f"{word[:100]!r} has {len(numbers)} numbers: write bbox:west,south,east,north in degrees"
        )
    west, south, east, north = numbers
    if max(abs(west), abs(east)) > 180 or max(abs(south), abs(north)) > 90:
        raise BadInput(f"{word} leaves the earth: longitude is within +-180 and latitude within +-90 degrees")
    if south >= north:
        raise BadInput(
            f"{word} has no height: south {south} is not below north {north} (west,south,east,north)"
        )
    if west == east:
        raise BadInput(f"{word} has no width: west and east are both {west}")
    spans = [(west, east)] if west < east else [(west, Decimal(180)), (Decimal(-180), east)]
    boxes = [shapely.box(float(low), float(south), float(high), float(north)) for low, high in spans]
    label = "-".join(
        ("bbox", _label(west, "ew"), _label(south, "ns"), _label(east, "ew"), _label(north, "ns"))
    )
    return Part(label, mask_of_box(west, south, east, north), polygons_of(np.array(boxes, dtype=object)))


def _degrees(text: str, word: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("nan")
    if (
        not number.is_finite()
        or len(number.as_tuple().digits) > MAX_DIGITS
        or abs(number.adjusted()) > MAX_DIGITS
    ):
        raise BadInput(
            f"{text[:40]!r} in {word[:100]!r} is no number of degrees: write bbox:west,south,east,north"
        )
    return number


def _label(degrees: Decimal, hemispheres: str) -> str:
    """4.50 degrees west is `4-5w`."""
    number = f"{abs(degrees).normalize():f}"
    return f"{number.replace('.', '-')}{hemispheres[1 if degrees < 0 else 0]}"


def _read_polygons(path: Path) -> Part:
    """The polygons of all layers of a vector file; BadInput when it has none."""
    layers = [layer for layer in read_layers(path) if layer.has_areas]
    areas = [polygons_of(areas_in_degrees(layer, path)) for layer in layers]
    polygons = np.concatenate(areas) if areas else np.empty(0, dtype=object)
    if not polygons.size:
        raise BadInput(f"{path} holds no polygon: a region file needs areas, not points or lines")
    return Part(slug(path.stem), mask_touching(polygons), polygons)


def _read_tile_list(path: Path) -> Part:
    """One tile name per line; blank lines and what follows `#` are skipped."""
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise BadInput(
                f"{path} has more than {MAX_LIST_BYTES} bytes: that is no list of this grid's tiles"
            )
        with path.open(encoding="utf-8-sig") as lines:
            return Part(slug(path.stem), mask_of_cells(_cells(lines, str(path))), None)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the tile list {path} cannot be read: {error}") from error


def _read_standard_input(lines: TextIO | None) -> Part:
    if lines is None:
        raise BadInput("`-` means a list of tiles on standard input, and there is none here")
    return Part("tiles", mask_of_cells(_cells(lines, "standard input")), None)


def _cells(lines: Iterable[str], source: str) -> Iterable[GridCell]:
    for number, line in enumerate(lines, start=1):
        if name := line.partition("#")[0].strip():
            try:
                yield _grid_cell(name)
            except BadInput as error:
                raise BadInput(f"{source}, line {number}: {error}") from error


def _grid_cell(name: str) -> GridCell:
    tile = parse_tile(name)
    if not isinstance(tile, GridCell):
        raise BadInput(f"{name} is a web-map tile: regions are made of grid cells (grid_-4.55_54.15)")
    return tile
