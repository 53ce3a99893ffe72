"""The area of interest of one command: what was asked, added up, minus what was excluded, as cells.

A region is an area, and the rule of the grid is applied to what is left of it: the cells that France
shares with Belgium stay in "Europe without Belgium". A list of tiles is the area of its cells.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
import shapely
from numpy.typing import NDArray

from contract.errors import BadInput
from contract.tile_id import GridCell
from producer.boundaries import Boundaries
from producer.grid import (
    Cells,
    Mask,
    cells_of,
    empty_mask,
    grid_cells,
    mask_touching,
    mask_within,
    polygons_of,
)
from producer.region_parts import Part, read_part

MAX_LABEL = 40
"""Characters: a job's name also has a year."""

NAMED_IN_LABEL = 3
"""So many regions are named in a label; of more, the first one and how many others."""

NARROW_DEGREES = 2e-6
"""What is thinner than this after a subtraction is two drawings of the same border, 0.2 m apart."""


@dataclass(frozen=True, slots=True)
class Region:
    """Which tiles were asked for."""

    label: str
    """For the job's name: `isle-of-man`, `europe-without-belgium`."""
    text: str
    """What was typed, as it can be typed again."""
    cells: Cells
    """(n, 2) row and column, sorted by row, then column; never empty."""

    def tiles(self) -> Iterator[GridCell]:
        """The same as tiles, one at a time."""
        return grid_cells(self.cells)


def resolve(
    requests: Sequence[str],
    *,
    exclude: Sequence[str] = (),
    boundaries: Boundaries,
    standard_input: TextIO | None = None,
) -> Region:
    """The region that the words of a command mean; `standard_input` is read where one of them is `-`.

    BadInput for a word that means nothing, a file that cannot be used, and a region without a tile.
    """
    text = shlex.join([*requests, *(word for excluded in exclude for word in ("--exclude", excluded))])
    if not requests:
        raise BadInput("no region is given: name a place, bbox:w,s,e,n, a vector file or a list of tiles")
    _check_quotes(requests, boundaries)
    parts = [read_part(word, boundaries, standard_input) for word in requests]
    excluded = [read_part(word, boundaries, standard_input) for word in exclude]
    cells = cells_of(_subtract(parts, excluded) if excluded else _add_up(parts))
    if not len(cells):
        raise BadInput(f"the region {text} has no tile: it is empty, or everything in it is excluded")
    return Region(_label(parts, excluded), text, cells)


def _check_quotes(words: Sequence[str], boundaries: Boundaries) -> None:
    """`producer tiles Isle of Man` without quotes are three regions."""
    together = " ".join(words)
    if len(words) > 1 and boundaries.has(together) and not all(boundaries.has(word) for word in words):
        raise BadInput(f"{together} is one region: write it in quotes, '{together}'")


def _add_up(parts: Sequence[Part]) -> Mask:
    mask = empty_mask()
    for part in parts:
        mask |= part.mask
    return mask


def _subtract(parts: Sequence[Part], excluded: Sequence[Part]) -> Mask:
    """The cells that share area with what is left of any part."""
    areas = [part.polygons for part in excluded if part.polygons is not None]
    gone = shapely.union_all(np.concatenate(areas)) if areas else shapely.MultiPolygon()
    shapely.prepare(gone)
    left = _add_up([_without(part, gone) for part in parts])
    return left & ~_add_up([part for part in excluded if part.polygons is None])


def _without(part: Part, gone: shapely.Geometry) -> Part:
    if part.polygons is None:
        return Part(part.label, part.mask & ~mask_within(gone), None)
    is_near = shapely.intersects(gone, part.polygons)
    rest = polygons_of(shapely.difference(part.polygons[is_near], gone))
    left = np.concatenate([part.polygons[~is_near], _wide(rest)])
    # Not more than before: a box's mask is exact, its polygon is in binary fractions.
    return Part(part.label, part.mask & mask_touching(left), left)


def _wide(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Those that are not mere slivers along a border that two polygons draw almost alike."""
    is_wide = ~shapely.is_empty(shapely.buffer(polygons, -NARROW_DEGREES / 2, quad_segs=1))
    wide: NDArray[np.object_] = polygons[is_wide]
    return wide


def _label(parts: Sequence[Part], excluded: Sequence[Part]) -> str:
    label = _joined(parts)
    if excluded:
        label = f"{label}-without-{_joined(excluded)}"
    if len(label) <= MAX_LABEL:
        return label
    whole_words = label[: MAX_LABEL + 1].rpartition("-")[0]
    return whole_words or label[:MAX_LABEL]


def _joined(parts: Sequence[Part]) -> str:
    if len(parts) <= NAMED_IN_LABEL:
        return "-".join(part.label for part in parts)
    return f"{parts[0].label}-and-{len(parts) - 1}-more"
