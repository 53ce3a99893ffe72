"""What a synthetic scene holds: pixels that agree with their classification, their swath and each other."""

import functools

import numpy as np
import pytest
import shapely

from laptop_cloud.scenes import sentinel1, sentinel2
from laptop_cloud.scenes.passes import SENTINEL1, SENTINEL2, passes_of
from laptop_cloud.scenes.pixel_grid import PixelGrid
from laptop_cloud.scenes.sentinel2 import Scl

ANCHOR = (400_000.0, 6_010_000.0)
GRID = PixelGrid(32630, 386_000, 6_024_000, 100, 280, 280)
# The eastern half of the grid, in degrees; the rest is sea.
LAND = shapely.to_wkb(shapely.box(-4.53, 53.9, -4.0, 54.6))
PLACE = {"seed": 1, "land_wkb": LAND, "latitude": 54.2}


@functools.cache
def optical(index, grid=GRID, year=2024):
    passes = passes_of(SENTINEL2, seed=1, anchor=ANCHOR, year=year, count=24)
    return sentinel2.scene_bands(passes[index], grid, **PLACE)


def radar(index, grid=GRID):
    passes = passes_of(SENTINEL1, seed=1, anchor=ANCHOR, year=2024, count=24)
    return sentinel1.scene_bands(passes[index], grid, **PLACE)


def coarse(pixels):
    """A fine band at the spacing of the classification: the upper left pixel of each four."""
    return pixels[::2, ::2]


def pooled(band, classes, dates=range(24)):
    """All clear values of one class over the year, as reflectance."""
    values = []
    for index in dates:
        scene = optical(index)
        pixels = scene[band] if scene[band].shape == scene["SCL"].shape else coarse(scene[band])
        values.append(pixels[np.isin(scene["SCL"], classes)])
    return (np.concatenate(values).astype(float) - 1000) / 10_000


@pytest.mark.parametrize("index", [1, 3, 6])
def test_any_part_of_a_scene_equals_the_scene_of_that_part(index):
    part = PixelGrid(32630, GRID.left + 12_000, GRID.top - 6_000, 100, 80, 160)
    whole, cut = optical(index), optical(index, part)
    for name in whole:
        step = 1 if name in sentinel2.FINE_BANDS else 2
        expected = whole[name][60 // step : 220 // step, 120 // step : 200 // step]
        assert np.array_equal(cut[name], expected), name
    assert np.array_equal(radar(index, part)["vh"], radar(index)["vh"][60:220, 120:200])


def test_bands_have_two_spacings_and_the_types_of_the_products():
    scene = optical(0)
    assert set(scene) == {*(["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "SCL"])}
    for name, pixels in scene.items():
        assert pixels.shape == ((280, 280) if name in sentinel2.FINE_BANDS else (140, 140))
        assert pixels.dtype == (np.uint8 if name == "SCL" else np.uint16)


def test_what_the_swath_missed_is_zero_in_every_band_and_in_the_classification():
    scene = optical(3)
    missed = scene["SCL"] == Scl.NO_DATA
    assert 0.05 < missed.mean() < 0.95
    for name, pixels in scene.items():
        assert np.array_equal(pixels == 0, missed) or name in sentinel2.FINE_BANDS
        if name in sentinel2.FINE_BANDS:
            # Along the edge a fine pixel may be seen while its coarse one is not.
            assert np.mean((coarse(pixels) == 0) != missed) < 0.01


def test_every_class_that_matters_occurs_in_a_year():
    seen = np.unique(np.concatenate([optical(index)["SCL"].ravel() for index in range(24)]))
    assert set(seen) >= {*Scl} - {Scl.UNCLASSIFIED}


def test_classes_look_like_what_they_are_called():
    red, infrared = pooled("B04", [Scl.VEGETATION]), pooled("B8A", [Scl.VEGETATION])
    assert np.median(infrared) > 4 * np.median(red)
    assert np.median(pooled("B11", [Scl.WATER])) < 0.02
    assert np.median(pooled("B02", [Scl.CLOUD_HIGH])) > 0.4
    assert np.median(pooled("B11", [Scl.BARE])) > np.median(pooled("B02", [Scl.BARE]))
    assert np.median(pooled("B8A", [Scl.SHADOW])) < np.median(pooled("B8A", [Scl.VEGETATION]))


def test_the_land_is_greener_in_summer_than_in_winter():
    def index_of(dates):
        red = pooled("B04", [Scl.VEGETATION, Scl.BARE], dates)
        infrared = pooled("B08", [Scl.VEGETATION, Scl.BARE], dates)
        return np.median((infrared - red) / (infrared + red))

    assert index_of(range(10, 14)) > index_of([0, 1, 22, 23]) + 0.15


def test_products_since_the_offset_carry_a_thousand_more():
    assert sentinel2.offset_of(year_start(2024)) == 1000
    assert sentinel2.offset_of(year_start(2021)) == 0
    assert sentinel2.baseline_of(year_start(2024)) >= "04.00" > sentinel2.baseline_of(year_start(2021))
    assert darkest_water(2021) < 200
    assert 1000 <= darkest_water(2024) < 1200


def darkest_water(year):
    scenes = [optical(index, year=year) for index in range(4)]
    values = np.concatenate([scene["B11"][scene["SCL"] == Scl.WATER] for scene in scenes])
    return np.median(values)


def year_start(year):
    return passes_of(SENTINEL2, seed=1, anchor=ANCHOR, year=year, count=12)[1].when


def test_granules_of_one_day_agree_where_they_overlap():
    west = PixelGrid(32630, 380_000, 6_030_000, 60, 400, 200)
    east = PixelGrid(32630, 399_980 - 399_980 % 60 + 20, 6_030_000, 60, 200, 200)
    shift = (east.left - west.left) // 60
    assert (east.left - west.left) % 60 == 0
    one, other = optical(0, west), optical(0, east)
    assert np.array_equal(one["B08"][:, shift : shift + 60], other["B08"][:, :60])


def test_radar_is_linear_power_with_speckle_and_no_data_outside_of_the_swath():
    scene = radar(0)
    for pixels in scene.values():
        assert pixels.dtype == np.float32
        assert np.array_equal(pixels == sentinel1.NO_DATA, pixels < 0)
    vv, vh = (pixels[:, 180:][pixels[:, 180:] > 0] for pixels in (scene["vv"], scene["vh"]))
    assert 0.01 < np.median(vv) < 1
    assert np.median(vh) < 0.5 * np.median(vv)
    # 4.4 looks: the deviation of one level is its mean over the root of the looks.
    sea = scene["vv"][:, 90:120]
    sea = sea[sea > 0]
    assert abs(sea.std() / sea.mean() - 4.4**-0.5) < 0.06


def test_the_sea_returns_less_than_the_land():
    vv = radar(1)["vv"]
    sea, land = vv[:, :120], vv[:, 160:]
    assert np.median(sea[sea > 0]) < 0.5 * np.median(land[land > 0])
