import numpy as np
import pytest

from consumer.imagery.pixel_grid import grid_of, utm_zone
from contract.errors import GiveUp
from contract.tile_id import parse_tile


@pytest.mark.parametrize(
    ("tile", "rows", "columns"),
    [("grid_-1.65_53.35", 1125, 687), ("grid_-1.55_53.25", 1126, 690)],
)
def test_ten_metre_grids_have_the_published_sizes(tile, rows, columns):
    grid = grid_of(parse_tile(tile), 10)
    assert grid.shape == (rows, columns)
    assert grid.epsg == 32630


@pytest.mark.parametrize(
    ("tile", "epsg"),
    [
        ("grid_-179.95_0.05", 32601),
        ("grid_179.95_-0.05", 32760),
        ("grid_5.95_60.05", 32631),  # Norway's zone 32 begins at 3 degrees; the published tiles ignore it
        ("grid_6.05_60.05", 32632),
        ("grid_-0.05_-0.05", 32730),
    ],
)
def test_a_cell_lies_in_the_plain_utm_zone_of_its_centre(tile, epsg):
    assert utm_zone(*parse_tile(tile).centre) == epsg
    assert grid_of(parse_tile(tile), 100).epsg == epsg


@pytest.mark.parametrize(
    "tile", ["grid_-4.55_54.15", "grid_179.95_-16.55", "grid_-179.95_66.05", "grid_20.05_-34.05"]
)
@pytest.mark.parametrize("resolution", [10, 30, 333.3])
def test_the_grid_covers_the_whole_cell_with_less_than_one_pixel_to_spare(tile, resolution):
    cell = parse_tile(tile)
    grid = grid_of(cell, resolution)
    finest = grid_of(cell, 0.5)
    left, bottom, right, top = grid.bounds
    assert (left, top) == (finest.left, finest.top)
    assert 0 <= right - finest.bounds[2] + 0.5 < resolution + 0.5
    assert 0 <= finest.bounds[1] - bottom + 0.5 < resolution + 0.5
    west, south, east, north = cell.bounds
    found_west, found_south, found_east, found_north = grid.lonlat_bounds
    assert found_south <= south
    assert found_north >= north
    assert found_west <= west
    assert found_east >= east
    assert found_east - found_west < 0.5


def test_the_transform_places_the_first_and_the_last_pixel_at_the_corners():
    grid = grid_of(parse_tile("grid_-4.55_54.15"), 10)
    left, bottom, right, top = grid.bounds
    assert grid.transform @ (0, 0) == (left, top)
    assert grid.transform @ (grid.width, grid.height) == pytest.approx((right, bottom))


def test_a_crop_keeps_every_pixel_where_it_was():
    grid = grid_of(parse_tile("grid_-4.55_54.15"), 10)
    rows, columns = slice(5, 9), slice(100, 102)
    part = grid.crop(rows, columns)
    assert part.shape == np.empty(grid.shape)[rows, columns].shape
    assert part.transform @ (0, 0) == pytest.approx(grid.transform @ (100, 5))
    assert part.transform @ (2, 4) == pytest.approx(grid.transform @ (102, 9))


def test_a_web_tile_is_refused_by_name():
    with pytest.raises(GiveUp, match="14/8000/5300"):
        grid_of(parse_tile("14/8000/5300"), 10)
