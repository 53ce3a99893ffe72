"""Polygons and boxes on the grid, against lists that were made elsewhere and against a slow, plain rule."""

import json
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.tile_id import GridCell
from producer.grid import (
    cells_of,
    empty_mask,
    grid_cells,
    mask_of_box,
    mask_of_cells,
    mask_touching,
    mask_within,
    polygons_of,
)

SHARED = Path(__file__).parents[4] / "shared" / "data"
unhurried = settings(deadline=None, derandomize=True)
needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the reference data is not beside this checkout"
)


def cells(mask):
    return {(row, column) for row, column in cells_of(mask).tolist()}


def names(mask):
    return [cell.name for cell in grid_cells(cells_of(mask))]


@pytest.fixture(scope="module")
def natural_earth():
    table = pq.read_table(SHARED / "natural_earth" / "admin0_10m.parquet", columns=["name", "geometry"])
    return dict(zip(*table.to_pydict().values(), strict=True))


@needs_shared
@pytest.mark.parametrize(
    ("place", "listed"),
    [
        ("Isle of Man", "isle_of_man"),
        ("Wales", "wales"),
        ("Luxembourg", "luxembourg"),
        ("Malta", "malta"),
        ("Fiji", "fiji"),
    ],
)
def test_a_country_has_exactly_the_listed_tiles_in_their_order(natural_earth, place, listed):
    expected = (SHARED / "tiles" / f"{listed}.txt").read_text().split()
    assert names(mask_touching(shapely.from_wkb(natural_earth[place]))) == expected


@needs_shared
def test_a_county_has_exactly_the_listed_tiles():
    county = shapely.from_geojson((SHARED / "tiles" / "cambridge.geojson").read_text())
    assert names(mask_touching(county)) == (SHARED / "tiles" / "cambridge.txt").read_text().split()


@needs_shared
def test_a_box_has_exactly_the_listed_tiles():
    for case in json.loads((SHARED / "tiles" / "bbox_cases.json").read_text()):
        edges = [Decimal(str(edge)) for edge in case["bbox"]]
        assert names(mask_of_box(*edges)) == case["tiles"], case["bbox"]


def test_a_cell_that_only_touches_an_area_does_not_belong_to_it():
    square = shapely.box(0.1, 0.3, 0.3, 0.8)
    assert cells(mask_touching(square)) == {(row, column) for row in range(3, 8) for column in (1, 2)}


def test_a_sliver_of_a_millimetre_belongs_and_of_a_micrometre_does_not():
    millimetre, micrometre = 1e-8, 1e-11
    assert (0, 1) in cells(mask_touching(shapely.box(0, 0, 0.1 + millimetre, 0.1)))
    assert (0, 1) not in cells(mask_touching(shapely.box(0, 0, 0.1 + micrometre, 0.1)))


def test_a_diagonal_through_corners_takes_only_the_cells_that_it_crosses():
    triangle = shapely.Polygon([(0, 0), (0.5, 0), (0.5, 0.5)])
    assert cells(mask_touching(triangle)) == {(row, column) for row in range(5) for column in range(row, 5)}


def test_the_cells_of_a_hole_do_not_belong_but_those_on_its_rim_do():
    ring = shapely.difference(shapely.box(0, 0, 2, 2), shapely.box(0.55, 0.55, 1.45, 1.45))
    found = cells(mask_touching(ring))
    assert (10, 10) not in found
    assert (5, 5) in found
    assert len(found) == 20 * 20 - 8 * 8


def test_the_edges_of_the_earth_have_cells_on_the_inside_only():
    assert mask_touching(shapely.box(-180, -90, 180, 90)).all()
    assert cells(mask_touching(shapely.box(179.95, 89.95, 180, 90))) == {(899, 1799)}
    assert cells(mask_touching(shapely.box(-180, -90, -179.95, -89.95))) == {(-900, -1800)}


def test_what_lies_beyond_the_earth_has_no_cells():
    assert not mask_touching(shapely.box(180, 0, 181, 1)).any()
    assert not mask_touching(shapely.box(-190, -95, -180.01, -91)).any()


def test_cells_wholly_inside_are_those_that_touch_nothing_outside():
    area = shapely.box(0.05, 0, 0.45, 0.3)
    assert cells(mask_within(area)) == {(row, column) for row in range(3) for column in range(1, 4)}


def test_only_the_polygons_of_a_collection_count():
    mixed = shapely.GeometryCollection(
        [
            shapely.Point(5, 5),
            shapely.LineString([(0, 0), (9, 9)]),
            shapely.GeometryCollection([shapely.box(0, 0, 0.1, 0.1), shapely.MultiPolygon()]),
        ]
    )
    assert cells(mask_touching(mixed)) == {(0, 0)}
    assert polygons_of(np.array([None, mixed], dtype=object)).size == 1


def test_cells_are_sorted_by_row_then_column_and_come_back_as_the_same_mask():
    wanted = [GridCell(row=5, column=-3), GridCell(row=-900, column=1799), GridCell(row=5, column=-1800)]
    mask = mask_of_cells(wanted)
    assert list(grid_cells(cells_of(mask))) == sorted(wanted)
    assert not cells_of(empty_mask()).size


shapes = st.lists(
    st.tuples(st.floats(-3, 3, allow_nan=False), st.floats(-3, 3, allow_nan=False)), min_size=3, max_size=12
)


@pytest.mark.slow
@unhurried
@given(points=shapes)
def test_halving_blocks_finds_what_testing_every_cell_finds(points):
    area = shapely.make_valid(shapely.Polygon(points), method="structure", keep_collapsed=False)
    steps = np.arange(-31, 31)
    rows, columns = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    shrink = 1e-9
    boxes = shapely.box(
        columns / 10 + shrink, rows / 10 + shrink, (columns + 1) / 10 - shrink, (rows + 1) / 10 - shrink
    )
    hit = shapely.intersects(area, boxes) & (area.area > 0)
    assert cells(mask_touching(area)) == set(zip(rows[hit].tolist(), columns[hit].tolist(), strict=True))


def edges(limit):
    """Degrees as people type them, many of them on a cell's edge."""
    return st.one_of(
        st.integers(-limit * 10, limit * 10).map(lambda tenths: Decimal(tenths) / 10),
        st.decimals(-limit, limit, places=4),
    )


def brute_force_span(low, high, count):
    """The cells [k/10, (k+1)/10] that overlap [low, high], looked at one by one."""
    lines = [Decimal(index) / 10 for index in range(-count, count + 1)]
    return [
        index - count
        for index, (begin, end) in enumerate(pairwise(lines))
        if max(begin, low) < min(end, high)
    ]


@pytest.mark.slow
@unhurried
@given(west=edges(20), east=edges(20), south=edges(10), north=edges(10))
def test_a_box_has_the_cells_that_decimal_arithmetic_gives_one_by_one(west, east, south, north):
    west, east = min(west, east), max(west, east)
    expected = {
        (row, column)
        for row in brute_force_span(south, north, 100)
        for column in brute_force_span(west, east, 200)
    }
    assert cells(mask_of_box(west, south, east, north)) == expected


@unhurried
@given(west=edges(180), east=edges(180))
def test_a_box_and_the_one_around_the_other_way_share_the_earth(west, east):
    south, north = Decimal(0), Decimal("0.1")
    one_way, other_way = mask_of_box(west, south, east, north), mask_of_box(east, south, west, north)
    if west == east:
        assert not (one_way | other_way).any()
        return
    row = one_way[900] | other_way[900]
    assert row.all()
    cut = {int((edge * 10).to_integral_value(ROUND_CEILING)) for edge in (west, east) if (edge * 10) % 1}
    assert int((one_way[900] & other_way[900]).sum()) == len(cut)
