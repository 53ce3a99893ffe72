"""Which pixels come out of a file, and how little of it is fetched for them."""

import numpy as np
import pytest
import rasterio.warp
from affine import Affine

from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.read import SceneReader
from consumer.imagery.sign import NoSigning
from consumer.imagery.tally import Tally
from consumer.imagery.tiff import fitting_overview
from tests.unit.consumer.imagery.plain_scenes import CLASSES, GRID, OPTICAL, cog, noise, reference, scene_at


@pytest.fixture
def scene():
    return noise()


@pytest.fixture
def reader():
    return SceneReader(NoSigning())


def read_scene(reader, storage, layer=OPTICAL, grid=GRID):
    return reader.read(scene_at(f"{storage.url}/scene.tif"), "B02", grid, layer, Tally())


@pytest.mark.parametrize("layer", [OPTICAL, CLASSES])
def test_pixels_equal_a_plain_reprojection_of_the_whole_scene(reader, storage, scene, layer):
    pixels = scene.astype(layer.dtype)
    storage.files["/scene.tif"] = cog(pixels)
    np.testing.assert_array_equal(read_scene(reader, storage, layer), reference(pixels, layer))


def test_a_window_of_the_grid_reads_the_same_pixels_as_the_whole(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    rows, columns = slice(13, 31), slice(7, 58)
    whole = read_scene(reader, storage)
    np.testing.assert_array_equal(
        read_scene(reader, storage, grid=GRID.crop(rows, columns)), whole[rows, columns]
    )


def test_a_scene_of_the_neighbouring_zone_lands_on_the_grid(reader, storage):
    smooth = np.add.outer(np.arange(900), np.arange(900)).astype(np.uint16) + 1000
    left, _, _, top = rasterio.warp.transform_bounds("EPSG:32630", "EPSG:32629", *GRID.bounds)
    transform = Affine(10, 0, left - 3000, 0, -10, top + 3000)
    storage.files["/scene.tif"] = cog(smooth, epsg=32629, transform=transform)
    found = read_scene(reader, storage).astype(int)
    expected = reference(smooth, epsg=32629, transform=transform).astype(int)
    assert (found > 0).all()
    assert np.abs(found - expected).max() <= 1  # GDAL may approximate by an eighth of a pixel


def test_only_ranges_are_fetched(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    read_scene(reader, storage)
    gets = [asked for method, _, asked in storage.requests if method == "GET"]
    assert gets
    assert None not in gets
    assert len(storage.requests) <= 5


def test_what_the_scene_does_not_cover_is_no_data(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    grid = PixelGrid(epsg=32630, left=499_800.0, top=6_000_200.0, resolution=10, width=40, height=40)
    pixels = read_scene(reader, storage, grid=grid)
    assert (pixels[:20, :] == 0).all()
    assert (pixels[:, :20] == 0).all()
    assert (pixels[20:, 20:] == scene[:20, :20]).all()


def test_no_data_pixels_do_not_darken_their_neighbours(reader, storage):
    pixels = np.full((600, 600), 5000, dtype=np.uint16)
    pixels[:, ::3] = 0
    storage.files["/scene.tif"] = cog(pixels, nodata=None)
    assert set(np.unique(read_scene(reader, storage))) <= {0, 5000}


def test_a_coarse_grid_is_read_from_an_overview(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    coarse = PixelGrid(epsg=32630, left=500_000, top=6_000_000, resolution=40, width=150, height=150)
    read_scene(reader, storage, grid=coarse)
    fetched = sum(
        int(asked.partition("-")[2]) - int(asked.removeprefix("bytes=").partition("-")[0]) + 1
        for method, _, asked in storage.requests
        if asked
    )
    assert fetched < len(storage.files["/scene.tif"]) / 4


@pytest.mark.parametrize(
    ("native", "factors", "wanted", "index"),
    [
        (10, [2, 4, 8], 10, None),
        (10, [2, 4, 8], 19.9, None),
        (10, [2, 4, 8], 20, 0),
        (10, [2, 4, 8], 79, 1),
        (10, [2, 4, 8], 500, 2),
        (20, [], 500, None),
        (None, [2, 4], 500, None),
    ],
)
def test_the_coarsest_overview_that_is_fine_enough(native, factors, wanted, index):
    assert fitting_overview(native, factors, wanted) == index
