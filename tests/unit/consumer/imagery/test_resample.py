"""The separable weights against GDAL's general warper, on noise, holes and edges."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.resample import Axis, interpolate, take_nearest
from tests.unit.consumer.imagery.plain_scenes import CLASSES, OPTICAL, reference

LEFT, TOP = 500_000, 6_000_000
SIZE = 200


def on_grid(by, pixels, spacing, grid, nodata=0):
    rows = Axis.between(
        first_edge=grid.top,
        step=-grid.resolution,
        count=grid.height,
        source_edge=TOP,
        source_step=-spacing,
        source_pixels=SIZE,
    )
    columns = Axis.between(
        first_edge=grid.left,
        step=grid.resolution,
        count=grid.width,
        source_edge=LEFT,
        source_step=spacing,
        source_pixels=SIZE,
    )
    (top, bottom), (left, right) = rows.window(), columns.window()
    return by(pixels[top:bottom, left:right], (top, left), rows, columns, nodata)


def scene(seed, holes):
    random = np.random.default_rng(seed)
    pixels = random.integers(1, 12000, (SIZE, SIZE)).astype(np.uint16)
    pixels[random.random(pixels.shape) < holes] = 0
    return pixels


@pytest.mark.parametrize("holes", [0, 0.03, 0.6])
@pytest.mark.parametrize("spacing", [10, 20])
@pytest.mark.parametrize(
    "place", ["inside", "over the upper left", "over the lower right", "half a pixel off"]
)
def test_bilinear_differs_from_gdal_by_rounding_in_one_pixel_of_a_thousand_at_most(holes, spacing, place):
    extent = SIZE * spacing
    left, top = {
        "inside": (LEFT + 123.437, TOP - 234.561),
        "over the upper left": (LEFT - 333.317, TOP + 444.423),
        "over the lower right": (LEFT + extent - 700.719, TOP - extent + 801.137),
        "half a pixel off": (LEFT + 5, TOP - 5),
    }[place]
    grid = PixelGrid(32630, left, top, 10, 130, 140)
    pixels = scene(5, holes)
    found = on_grid(interpolate, pixels, spacing, grid)
    expected = reference(pixels, OPTICAL, grid, transform=Affine(spacing, 0, LEFT, 0, -spacing, TOP))
    difference = np.abs(found.astype(int) - expected.astype(int))
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= difference.size / 1000
    np.testing.assert_array_equal(found == 0, expected == 0)


@given(
    left=st.floats(-1000, 1500),
    top=st.floats(-1500, 1000),
    spacing=st.sampled_from([10, 20]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_the_nearest_pixel_is_gdals_wherever_the_grid_lies(left, top, spacing, seed):
    grid = PixelGrid(32630, LEFT + left, TOP + top, 10, 60, 50)
    pixels = scene(seed, 0.1)
    if on_axis_empty(grid, spacing):
        return
    expected = reference(
        pixels,
        CLASSES.__class__("uint16", 0, is_bilinear=False),
        grid,
        transform=Affine(spacing, 0, LEFT, 0, -spacing, TOP),
    )
    np.testing.assert_array_equal(on_grid(take_nearest, pixels, spacing, grid), expected)


def on_axis_empty(grid, spacing):
    return grid.left + 600 <= LEFT - spacing or grid.top - 500 >= TOP + spacing


def test_weights_without_a_gap_keep_a_plane_a_plane():
    plane = (1000 + 7.0 * np.arange(SIZE)[:, None] + 3.0 * np.arange(SIZE)[None, :]).astype(np.float32)
    grid = PixelGrid(32630, LEFT + 101.7, TOP - 203.9, 10, 50, 40)
    found = on_grid(interpolate, plane, 20, grid, nodata=-32768.0)
    assert found.dtype == np.float32
    columns = (101.7 + 10 * np.arange(50) + 5) / 20 - 0.5
    rows = (203.9 + 10 * np.arange(40) + 5) / 20 - 0.5
    np.testing.assert_allclose(found, 1000 + 7 * rows[:, None] + 3 * columns[None, :], rtol=1e-6)


def test_no_data_that_is_not_a_number_is_left_out():
    pixels = np.full((SIZE, SIZE), 5.0, dtype=np.float32)
    pixels[:, 30:] = np.nan
    grid = PixelGrid(32630, LEFT + 3, TOP - 3, 10, 60, 20)
    found = on_grid(interpolate, pixels, 10, grid, nodata=np.nan)
    assert (found[:, :29] == 5).all()
    assert np.isnan(found[:, 31:]).all()
