import hashlib

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from rasterio.warp import transform_geom

from consumer.imagery.pixel_grid import grid_of
from consumer.recipes.tessera.land_mask import land_mask, land_window, write_land_mask
from contract.errors import WorkerUnfit
from contract.tile_id import parse_tile

TILE = parse_tile("grid_-4.55_54.15")
GRID = grid_of(TILE, 100)


@pytest.fixture
def land_of(tmp_path):
    """Polygons in degrees -> a FlatGeobuf of them, as the producer writes it."""

    def write(*polygons):
        path = tmp_path / "land.fgb"
        pyogrio.raw.write(
            path,
            shapely.to_wkb(np.array(polygons, dtype=object)),
            [],
            [],
            driver="FlatGeobuf",
            geometry_type="Polygon",
            crs="EPSG:4326",
        )
        return path

    return write


def in_degrees(polygon, grid=GRID):
    shape = transform_geom(grid.crs, "EPSG:4326", shapely.geometry.mapping(polygon))
    return shapely.geometry.shape(shape)


def block(first_row, last_row, first_column, last_column, *, inset=10.0, grid=GRID):
    """The box of these pixels (inclusive), `inset` metres smaller, in metres."""
    size = grid.resolution
    return shapely.box(
        grid.left + first_column * size + inset,
        grid.top - (last_row + 1) * size + inset,
        grid.left + (last_column + 1) * size - inset,
        grid.top - first_row * size - inset,
    )


def test_land_is_every_pixel_that_it_touches(land_of):
    mask = land_mask(land_of(in_degrees(block(20, 24, 10, 12))), GRID, 0)
    expected = np.zeros(GRID.shape, dtype=np.uint8)
    expected[20:25, 10:13] = 1
    np.testing.assert_array_equal(mask, expected)


def test_an_islet_smaller_than_a_pixel_is_not_lost(land_of):
    speck = shapely.Point(GRID.left + 1020, GRID.top - 2020).buffer(5)
    mask = land_mask(land_of(in_degrees(speck)), GRID, 0)
    assert mask.sum() == 1
    assert mask[20, 10] == 1


def test_the_margin_reaches_as_far_as_stated_and_no_further(land_of):
    coast = GRID.top - 3000.0
    mainland = in_degrees(shapely.box(GRID.left - 500, coast - 3000, GRID.left + 9000, coast))
    path = land_of(shapely.segmentize(mainland, 0.001))
    plain, widened = land_mask(path, GRID, 0), land_mask(path, GRID, 500)
    middle = GRID.width // 2
    assert np.flatnonzero(plain[:, middle])[0] - np.flatnonzero(widened[:, middle])[0] == 5


def test_land_beyond_the_grid_counts_within_the_margin_only(land_of):
    island = in_degrees(block(40, 60, -6, -4))
    path = land_of(island)
    assert not land_mask(path, GRID, 0).any()
    assert not land_mask(path, GRID, 290).any()
    assert land_mask(path, GRID, 800)[50, 0] == 1


def test_open_sea_has_no_land(land_of):
    mask = land_mask(land_of(shapely.box(10, 10, 11, 11)), GRID, 500)
    assert mask.shape == GRID.shape
    assert not mask.any()
    assert land_window(mask) == (slice(0, 0), slice(0, 0))


@pytest.mark.parametrize("tile", ["grid_179.95_-16.55", "grid_-179.95_-16.55"])
def test_a_continent_up_to_the_antimeridian_fills_the_tile(land_of, tile):
    cell = parse_tile(tile)
    west, _, east, _ = cell.bounds
    grid = grid_of(cell, 100)
    path = land_of(shapely.box(-180, -30, -170, 0), shapely.box(170, -30, 180, 0))
    mask = land_mask(path, grid, 0)
    inner = mask[5:-5, 5:-5]
    assert inner.all(), (west, east)


def test_a_country_as_large_as_a_hemisphere_is_cut_before_it_is_projected(land_of):
    mask = land_mask(land_of(shapely.box(-179, -80, 179, 80)), GRID, 500)
    assert mask.all()


def test_the_window_is_the_smallest_around_all_land():
    mask = np.zeros((9, 12), dtype=np.uint8)
    mask[2, 3] = mask[6, 10] = 1
    assert land_window(mask) == (slice(2, 7), slice(3, 11))


def test_the_file_lies_on_the_grid_says_its_margin_and_never_varies(land_of, tmp_path):
    mask = land_mask(land_of(in_degrees(block(20, 24, 10, 12))), GRID, 0)
    digests = set()
    for name in ("one.tiff", "two.tiff"):
        write_land_mask(tmp_path / name, mask, GRID, {"TILEFLEET_COAST_MARGIN_METRES": "0"})
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    with rasterio.open(tmp_path / "one.tiff") as file:
        assert (file.crs.to_epsg(), file.transform, file.shape) == (GRID.epsg, GRID.transform, GRID.shape)
        assert file.tags()["TILEFLEET_COAST_MARGIN_METRES"] == "0"
        np.testing.assert_array_equal(file.read(1), mask)


def test_land_that_cannot_be_read_is_the_machines_fault(tmp_path):
    (tmp_path / "land.fgb").write_bytes(b"not a FlatGeobuf")
    with pytest.raises(WorkerUnfit, match=r"land\.fgb"):
        land_mask(tmp_path / "land.fgb", GRID, 0)
