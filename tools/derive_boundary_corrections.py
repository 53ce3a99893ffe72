"""Make tools/boundary_corrections.parquet: where the shipped outlines and Natural Earth differ by a tile.

    .venv/bin/python tools/derive_boundary_corrections.py ../shared/data/natural_earth/admin0_10m.parquet

world-atlas rounds Natural Earth 4.1 to a grid of 400 by 200 m, which decides a few hundred coast and
border cells otherwise than the newest Natural Earth (5.1, public domain) does. For each place that
both have, this keeps the pieces that change a cell, and nothing else: what Natural Earth has in a cell
that we miss, and the cells in which we have a sliver that it has not. Rebuilding the boundaries needs
only the small file that this writes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from derive_boundaries import CORRECTIONS, COUNTRY_CODER, WORLD_ATLAS, Row, derive, unpack

from contract.tile_id import COLUMNS, ROWS
from producer.grid import mask_touching

RELATED_NAMES = {"Northern Ireland": "N. Ireland"}
"""Parts of countries that both have, under different names; the rest is matched by name."""


def main() -> None:
    reference = {
        (row["level"], row["name"]): shapely.from_wkb(row["geometry"])
        for row in pq.read_table(sys.argv[1], columns=["level", "name", "geometry"]).to_pylist()
    }
    with tempfile.TemporaryDirectory() as scratch:
        atlas = unpack(WORLD_ATLAS, Path(scratch) / "atlas") / "countries-10m.json"
        coder = unpack(COUNTRY_CODER, Path(scratch) / "coder") / "src" / "data" / "borders.json"
        rows = derive(atlas, coder)
    changes = [change for row in rows for change in corrections(row, reference)]
    pq.write_table(pa.Table.from_pylist(changes), CORRECTIONS, compression="zstd", compression_level=22)
    print(f"{CORRECTIONS}: {len(changes)} corrections, {CORRECTIONS.stat().st_size / 1e3:.0f} kB")


def corrections(row: Row, reference: dict[tuple[str, str], shapely.Geometry]) -> Iterator[dict[str, object]]:
    """The pieces to add to one place and the cells to remove from it, as records of the file."""
    truth = reference.get((row.level, RELATED_NAMES.get(row.name, row.name)))
    if truth is None:
        return
    ours, theirs = mask_touching(row.geometry), mask_touching(truth)
    missing = shapely.union_all(_cells(theirs & ~ours))
    for action, area in (
        ("add", shapely.intersection(truth, missing)),
        ("remove", shapely.union_all(_cells(ours & ~theirs))),
    ):
        if not area.is_empty:
            yield {"level": row.level, "name": row.name, "action": action, "geometry": shapely.to_wkb(area)}


def _cells(mask: np.ndarray) -> np.ndarray:
    south, west = (np.argwhere(mask) + np.array([ROWS.start, COLUMNS.start])).T
    return shapely.box(west / 10, south / 10, (west + 1) / 10, (south + 1) / 10)


if __name__ == "__main__":
    main()
