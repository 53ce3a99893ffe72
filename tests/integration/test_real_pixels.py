"""A real year of Sentinel-2 and Sentinel-1, from COGs behind a STAC API to the published files."""

import json
import threading

import numpy as np
import pytest
from PIL import Image
from rasterio.enums import Resampling
from rasterio.warp import reproject

from consumer.imagery.cube import OPTICAL_CHANNELS
from consumer.recipe import Imagery, RecipeContext
from consumer.recipes.tessera.recipe import TesseraRecipe
from consumer.recipes.tessera.sentinel1 import to_decibels
from contract.dataset import Dataset
from laptop_cloud import imagery_server, stac
from tests.integration.real_year import SOURCE, TILE, VEGETATION, YEAR, RealYear

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SOURCE.exists(), reason="the real pixels are not on this machine"),
]


@pytest.fixture(scope="module")
def year():
    return RealYear()


@pytest.fixture(scope="module")
def served(year, tmp_path_factory, real_scenes):
    """(STAC URL, folder) with the year behind the STAC API."""
    folder = tmp_path_factory.mktemp("real-year")
    year.write_land(folder / "land.fgb")
    with (
        imagery_server.running(real_scenes, folder / "imagery.log") as imagery_url,
        stac.running(real_scenes, imagery_url, folder / "stac") as stac_url,
    ):
        yield stac_url, folder


@pytest.fixture(scope="module")
def recipe(served):
    stac_url, folder = served
    dataset = Dataset(
        recipe="tessera",
        code_version="1",
        period=YEAR,
        parameters={"model": "v2-nano", "source": "mpc", "resolution": 10.0, "coast_margin_metres": 0.0},
        weights_sha256=None,
        is_trained=False,
        boundaries_sha256="0" * 64,
    )
    return TesseraRecipe(
        RecipeContext(
            dataset=dataset,
            settings={},
            imagery=Imagery(stac_url, "mpc"),
            weights=None,
            land=folder / "land.fgb",
            scratch=folder,
        )
    )


@pytest.fixture(scope="module")
def plan(recipe):
    return recipe.plan(TILE)


@pytest.fixture(scope="module")
def downloaded(recipe, plan):
    return recipe.download(plan, lambda share: None)


@pytest.fixture(scope="module")
def prepared(recipe, plan, downloaded):
    return recipe.prepare(plan, downloaded)


@pytest.fixture(scope="module")
def embedding(recipe, prepared):
    return recipe.infer(prepared, lambda share: None, threading.Event())


def on_window(year, plan, pixels, resampling, nodata):
    """The source's pixels on the tile's window by one plain reprojection in memory."""
    grid = plan.detail.grid.crop(*plan.detail.window)
    expected = np.full(grid.shape, nodata, dtype=pixels.dtype)
    reproject(
        pixels,
        expected,
        src_transform=year.transform,
        src_crs=f"EPSG:{year.epsg}",
        src_nodata=nodata,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        dst_nodata=nodata,
        resampling=resampling,
    )
    return expected


def test_every_acquisition_of_the_year_is_found(plan):
    detail = plan.detail
    assert (len(detail.optical), len(detail.ascending), len(detail.descending)) == (146, 60, 86)
    rows, columns = detail.window
    assert (rows.stop - rows.start, columns.stop - columns.start) == (7, 7)
    assert detail.land.all()


def test_the_optical_days_are_those_on_which_the_patch_is_seen(year, plan, downloaded):
    classes = year.scene_classes
    expected = [
        np.datetime64(date, "D").astype(object).timetuple().tm_yday
        for date, of_day in zip(year.arrays["s2_dates"], classes, strict=True)
        if (on_window(year, plan, of_day, Resampling.nearest, 0) == VEGETATION).any()
    ]
    assert downloaded.cube.doys.tolist() == expected
    assert 49 <= len(expected) <= 80  # 49 dates are clear all over


def test_optical_pixels_equal_a_plain_bilinear_reprojection(year, plan, downloaded):
    days = {
        np.datetime64(date, "D").astype(object).timetuple().tm_yday: index
        for index, date in enumerate(year.arrays["s2_dates"])
    }
    cube = downloaded.cube
    compared = 0
    for doy, image, mask in zip(cube.doys, cube.bands, cube.masks, strict=True):
        for number, channel in enumerate(OPTICAL_CHANNELS):
            source = year.arrays["s2"][days[int(doy)], year.bands.index(channel)]
            expected = on_window(year, plan, source, Resampling.bilinear, 0)
            seen = mask > 0
            difference = image[seen, number].astype(int) - expected[seen].astype(int)
            assert np.abs(difference).max() <= 1, (doy, channel)  # rounding, on a grid half a pixel off
            compared += seen.sum()
    assert compared > 10_000


@pytest.mark.parametrize(("orbit", "short"), [("ascending", "asc"), ("descending", "desc")])
def test_radar_pixels_equal_a_plain_nearest_reprojection(year, plan, downloaded, orbit, short):
    images = getattr(downloaded.cube, f"sar_{orbit}")
    doys = getattr(downloaded.cube, f"sar_{orbit}_doy").tolist()
    land = plan.detail.land
    expected = {}
    for date, acquisition in zip(year.arrays[f"s1_{short}_dates"], year.arrays[f"s1_{short}"], strict=True):
        doy = np.datetime64(date, "D").astype(object).timetuple().tm_yday
        for number in range(2):
            source = on_window(year, plan, acquisition[number], Resampling.nearest, -32768)
            channel = expected.setdefault(doy, np.zeros((*land.shape, 2), dtype=np.int16))[:, :, number]
            decibels = to_decibels(source, land)
            channel[channel == 0] = decibels[channel == 0]
    assert doys == sorted(expected)
    for doy, image in zip(doys, images, strict=True):
        np.testing.assert_array_equal(image, expected[doy], err_msg=str(doy))


def test_the_embedding_has_a_value_wherever_something_was_seen(downloaded, embedding):
    cube = downloaded.cube
    seen = (cube.masks > 0).any(axis=0)
    for radar in (cube.sar_ascending, cube.sar_descending):
        seen |= (radar != 0).any(axis=(0, 3))
    np.testing.assert_array_equal(embedding.scales > 0, seen)
    assert seen.sum() >= 36
    assert embedding.quantised.shape == (7, 7, 128)
    assert (np.abs(embedding.quantised[seen]).max(axis=1) == 127).all()
    assert not embedding.quantised[~seen].any()


def test_two_attempts_give_the_same_bytes_in_all_but_the_provenance(
    recipe, plan, prepared, embedding, tmp_path
):
    again = recipe.prepare(plan, recipe.download(plan, lambda share: None))
    repeated = recipe.infer(again, lambda share: None, threading.Event())
    contents = []
    for name, tile, result in (("one", prepared, embedding), ("two", again, repeated)):
        (tmp_path / name).mkdir()
        written = recipe.write(tile, result, tmp_path / name)
        contents.append(
            {one.name: one.path.read_bytes() for one in written.artifacts if "provenance" not in one.name}
        )
    assert len(contents[0]) == 5
    assert contents[0] == contents[1]


def test_files_and_provenance_say_what_was_used(recipe, prepared, embedding, tmp_path):
    written = recipe.write(prepared, embedding, tmp_path)
    by_kind = {artifact.name.partition("/")[0]: artifact.path for artifact in written.artifacts}
    record = json.loads(by_kind["provenance"].read_text())
    optical = [scene for scene in record["scenes"]["scenes"] if scene["collection"] == "sentinel-2-l2a"]
    assert {scene["baseline"] for scene in optical} == {"02.13", "02.14"}
    assert all(scene["href"].startswith("http://127.0.0.1") for scene in optical)
    assert record["scenes"]["found"] == 292
    assert record["scenes"]["lost"] == {}
    assert (record["is_trained"], record["model"]) == (False, "v2-nano untrained")
    assert record["cube_sha256"] == prepared.detail.cube.digest()
    assert record["pixels_with_value"] == (embedding.scales > 0).sum()
    assert {"plan", "download", "prepare", "infer"} <= record["seconds"].keys()
    assert "scenes" not in written.provenance["scenes"]  # the commit keeps counts, the file keeps names
    with Image.open(by_kind["previews"]) as picture:
        assert picture.size == (prepared.detail.plan.grid.width, prepared.detail.plan.grid.height)
        assert "untrained" in picture.text["Description"]


def test_what_was_reserved_is_enough(plan, prepared):
    assert prepared.memory_bytes <= plan.memory_bytes
    assert prepared.detail.cube.nbytes < plan.memory_bytes
