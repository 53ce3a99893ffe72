"""Synthetic scenes behind the real STAC API and range server, found and read by the real clients."""

import json
import urllib.request

import numpy as np
import pystac_client
import pytest
import rasterio
from rasterio.windows import from_bounds

from laptop_cloud import imagery_server, stac
from laptop_cloud.scenes import SceneRecipe, make_year
from laptop_cloud.scenes.pixel_grid import bounds_in_utm

PLACE = (-4.7, 54.15, -4.5, 54.25)
GDAL_OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif"}


@pytest.fixture(scope="module")
def imagery(tmp_path_factory):
    """(STAC API URL, imagery URL) over six dates at 50 m."""
    folder = tmp_path_factory.mktemp("imagery")
    recipe = SceneRecipe(PLACE, 2024, spacing_metres=50, sentinel2_dates=4, sentinel1_dates=4)
    scenes = make_year(recipe, folder / "scenes", processes=0)
    with (
        imagery_server.running(scenes, folder / "imagery.log") as imagery_url,
        stac.running(scenes, imagery_url, folder / "stac") as api_url,
    ):
        yield api_url, imagery_url


def stats_of(imagery_url):
    with urllib.request.urlopen(imagery_url + imagery_server.STATS_PATH) as answer:
        return json.load(answer)


def search(api_url, **conditions):
    client = pystac_client.Client.open(api_url)
    return list(client.search(**conditions).items())


def test_a_search_by_collection_box_and_time_finds_the_scenes_of_that_time_only(imagery):
    api_url, _ = imagery
    whole_year = search(api_url, collections=["sentinel-2-l2a"], bbox=PLACE, datetime="2024-01-01/2024-12-31")
    first_half = search(api_url, collections=["sentinel-2-l2a"], bbox=PLACE, datetime="2024-01-01/2024-06-30")
    assert {item.datetime.date() for item in first_half} == {
        item.datetime.date() for item in whole_year if item.datetime.month <= 6
    }
    assert len({item.datetime.date() for item in whole_year}) == 4
    assert search(api_url, collections=["sentinel-2-l2a"], bbox=(10, 10, 11, 11)) == []


def test_results_come_page_by_page_until_all_are_there(imagery):
    api_url, _ = imagery
    at_once = search(api_url, collections=["sentinel-2-l2a"], bbox=PLACE)
    assert len(at_once) > 6
    by_threes = search(api_url, collections=["sentinel-2-l2a"], bbox=PLACE, limit=3)
    assert [item.id for item in by_threes] == [item.id for item in at_once]


def test_both_orbit_directions_of_the_radar_are_found(imagery):
    api_url, _ = imagery
    items = search(api_url, collections=["sentinel-1-rtc"], bbox=PLACE)
    assert sorted(item.properties["sat:orbit_state"] for item in items) == [
        *("ascending", "ascending", "descending", "descending", "descending")
    ]
    assert all(set(item.assets) == {"vv", "vh"} for item in items)


def test_one_day_comes_as_granules_that_overlap(imagery):
    api_url, _ = imagery
    items = search(api_url, collections=["sentinel-2-l2a"], bbox=(-4.55, 54.18, -4.52, 54.22))
    tiles_by_day = {}
    for item in items:
        tiles_by_day.setdefault(item.datetime, set()).add(item.properties["s2:mgrs_tile"])
    assert {"30UUF", "30UVF"} in tiles_by_day.values()


def test_a_window_is_read_by_ranges_and_never_a_whole_file(imagery):
    api_url, imagery_url = imagery
    item = next(
        one
        for one in search(api_url, collections=["sentinel-2-l2a"], bbox=PLACE)
        if one.properties["s2:nodata_pixel_percentage"] == 0
    )
    before = stats_of(imagery_url)
    with rasterio.Env(**GDAL_OPTIONS), rasterio.open("/vsicurl/" + item.assets["B04"].href) as file:
        assert file.crs.to_epsg() == 32630
        bounds = bounds_in_utm((-4.69, 54.19, -4.68, 54.2), 32630)
        pixels = file.read(1, window=from_bounds(*bounds, transform=file.transform))
    after = stats_of(imagery_url)
    assert pixels.size > 100
    assert np.all(pixels > 0)
    assert after["range_requests"] > before["range_requests"]
    assert after["whole_files"] == after["failures"] == 0
    assert after["bytes_sent"] > before["bytes_sent"]


def test_items_carry_what_the_planetary_computer_says_about_offset_and_cloud(imagery):
    api_url, _ = imagery
    for item in search(api_url, collections=["sentinel-2-l2a"], bbox=PLACE):
        assert item.properties["s2:processing_baseline"] == "05.10"
        assert 0 <= item.properties["eo:cloud_cover"] <= 100
        # pystac turns proj:epsg, as served, into the proj:code of the extension's later versions.
        assert item.properties["proj:code"] == "EPSG:32630"
        assert {"B02", "B8A", "B12", "SCL"} < set(item.assets)
