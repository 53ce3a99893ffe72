"""One picture of a job: every published preview, warped into its cell.

A commit lists what its tile published: the preview is its PNG, the place of its pixels is in its GeoTIFF.
So this works for any recipe that makes both, and knows none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.commit_record import CommitRecord
from contract.errors import BadInput, NotFound
from contract.tile_id import GridCell
from fleetctl.ahead import read_ahead
from fleetctl.campaign.canvas import Canvas, choose_canvas
from fleetctl.campaign.history import JobHistory, read_records
from fleetctl.campaign.sheet import Sheet
from fleetctl.campaign.warp import Picture, read_picture, read_place, warp_to_cell

PICTURE_SUFFIX = ".png"
PLACE_SUFFIXES = (".tiff", ".tif")
MOST_PIXELS = 8192
"""Of the longer side: 200 MB of memory."""
MOST_ARTIFACT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mosaic:
    """What was painted."""

    path: Path
    painted: int
    """Tiles with a picture."""
    empty: int
    """Committed ones without a picture: there was no imagery."""
    missing: int
    """Asked ones without a published result."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """One committed tile, ready to be painted."""

    cell: GridCell
    picture: Picture | None
    """None: it has no picture."""
    place: bytes
    """Its GeoTIFF."""


def make_mosaic(
    store: BlobStore,
    history: JobHistory,
    path: Path,
    *,
    longest_pixels: int,
    connections: int,
    on_tile: Callable[[], None] = lambda: None,
) -> Mosaic:
    """Paint the job into a PNG, tile by tile; `on_tile` is called after each committed one.

    Memory follows the picture's size, not the number of tiles. BadInput when the job's tiles are no
    grid cells, or a published file is not what it should be.
    """
    cells = _grid_cells(history)
    canvas = choose_canvas(cells, longest_pixels)
    sheet = Sheet(canvas)
    for cell in cells:
        sheet.mark_missing(cell)
    painted = empty = 0
    for fetched in _fetched_tiles(store, history, canvas, connections):
        if fetched is not None:
            sheet.paint(fetched.cell, _patch(fetched, canvas))
            painted += fetched.picture is not None
            empty += fetched.picture is None
        on_tile()
    sheet.draw_lines(cells)
    mosaic = Mosaic(path, painted, empty, len(cells) - painted - empty)
    sheet.save(path, *_words(history, mosaic))
    return mosaic


def _grid_cells(history: JobHistory) -> list[GridCell]:
    cells = [tile for tile in history.asked if isinstance(tile, GridCell)]
    if len(cells) != len(history.asked):
        raise BadInput(f"job {history.job.id} asks for web-map tiles; a mosaic is made of 0.1-degree cells")
    return cells


def _fetched_tiles(
    store: BlobStore, history: JobHistory, canvas: Canvas, connections: int
) -> Iterator[_Fetched | None]:
    """The committed tiles, read and decoded in a few threads; None for one that is not published yet."""

    def fetch(record: CommitRecord) -> _Fetched | None:
        try:
            return _fetch(store, record, canvas)
        except NotFound:
            return None

    records = (record for _, record in read_records(store, history.commits, connections))
    return (fetched for _, fetched in read_ahead(fetch, records, connections))


def _fetch(store: BlobStore, record: CommitRecord, canvas: Canvas) -> _Fetched:
    if not isinstance(record.tile, GridCell):
        raise BadInput(f"{record.blob_name} commits a web-map tile among grid cells")
    names = [artifact.name for artifact in record.artifacts]
    picture = next((name for name in names if name.endswith(PICTURE_SUFFIX)), None)
    place = next((name for name in names if name.endswith(PLACE_SUFFIXES)), None)
    if picture is None or place is None:
        return _Fetched(record.tile, None, b"")
    with _naming(record.tile):
        decoded = read_picture(_read(store, record.dataset, picture), canvas.cell_height)
    return _Fetched(record.tile, decoded, _read(store, record.dataset, place))


def _patch(fetched: _Fetched, canvas: Canvas) -> NDArray[np.uint8] | None:
    """The tile's pixels on the canvas. Only ever called by one thread: rasterio's way to silence its own
    warnings is not safe between several, and lets some through."""
    if fetched.picture is None:
        return None
    with _naming(fetched.cell):
        return warp_to_cell(fetched.picture, read_place(fetched.place), fetched.cell, canvas)


@contextmanager
def _naming(cell: GridCell) -> Iterator[None]:
    try:
        yield
    except BadInput as error:
        raise BadInput(f"the picture of {cell} cannot be shown: {error}") from error


def _read(store: BlobStore, dataset: str, artifact: str) -> bytes:
    return store.read(artifact_names.published(dataset, artifact), max_bytes=MOST_ARTIFACT_BYTES).data


def _words(history: JobHistory, mosaic: Mosaic) -> tuple[str, str]:
    """(caption, warning)"""
    done = mosaic.painted + mosaic.empty
    caption = f"{history.job.id}   {history.dataset.name}   {done}/{len(history.asked)} tiles"
    warning = "untrained weights: the colours mean nothing" if history.is_untrained else ""
    return caption, warning
