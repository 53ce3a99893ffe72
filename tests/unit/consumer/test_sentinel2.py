"""Against vectors that upstream's own preprocessing made."""

from pathlib import Path

import numpy as np
import pytest

from consumer.recipes.tessera import sentinel2

GOLDEN = Path(__file__).parents[3].parent / "shared" / "tessera" / "golden" / "preprocess.npz"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip("the golden vectors are not on this machine")
    return np.load(GOLDEN)


@pytest.fixture
def day(golden):
    """Scene classes of three scenes of one day (uint8, no data = 0) and the land."""
    return np.nan_to_num(golden["scl_stack"], nan=0).astype(np.uint8), golden["roi"] > 0


def test_every_class_code_is_clear_exactly_where_upstream_says(golden):
    codes = golden["scl_values"]
    np.testing.assert_array_equal(sentinel2.is_clear(codes), golden["scl_valid"] > 0)


def test_the_first_clear_scene_is_chosen_per_pixel(golden, day):
    classes, land = day
    np.testing.assert_array_equal(sentinel2.choose_scenes(list(classes), land), golden["tile_selection"])


def test_coverage_is_the_share_of_land_with_a_clear_scene(golden, day):
    classes, land = day
    chosen = sentinel2.choose_scenes(list(classes), land)
    assert sentinel2.coverage_percent(chosen, land) == pytest.approx(float(golden["valid_pct"]), abs=1e-12)


def test_the_mosaic_takes_each_pixel_from_its_chosen_scene_and_0_where_there_is_none(golden):
    chosen = golden["tile_selection"]
    mosaic = np.zeros(chosen.shape, dtype=np.uint16)
    for number in sentinel2.scenes_chosen(chosen):
        sentinel2.place_scene(mosaic, golden["band_stack"][number], chosen, number)
    np.testing.assert_array_equal(mosaic, golden["band_mosaic_valid_only"])


@pytest.mark.parametrize("source", ["mpc", "aws"])
def test_the_offset_is_removed_by_day_and_archive(golden, source):
    for index, date in enumerate(golden["harm_dates"]):
        harmonised = sentinel2.remove_offset(golden["harm_in"], str(date), source)
        assert harmonised.dtype == np.uint16
        np.testing.assert_array_equal(harmonised, golden[f"harm_out_{source}"][index], err_msg=str(date))


def test_a_day_over_no_land_covers_nothing():
    no_land = np.zeros((2, 3), dtype=bool)
    chosen = sentinel2.choose_scenes([np.full((2, 3), 4, dtype=np.uint8)], no_land)
    assert (chosen == sentinel2.NO_SCENE).all()
    assert sentinel2.coverage_percent(chosen, no_land) == 0.0


def test_more_scenes_than_can_be_told_apart_do_not_wrap_around():
    clear = np.full((1, 1), 4, dtype=np.uint8)
    cloudy = np.full((1, 1), 9, dtype=np.uint8)
    scenes = [cloudy] * 200 + [clear]
    assert sentinel2.choose_scenes(scenes, np.ones((1, 1), dtype=bool)) == sentinel2.NO_SCENE
