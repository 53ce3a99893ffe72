import itertools

import shapely

from laptop_cloud.scenes.passes import SENTINEL1, SENTINEL2, frames_of, passes_of
from laptop_cloud.scenes.pixel_grid import PixelGrid

ANCHOR = (400_000.0, 6_010_000.0)
GRID = PixelGrid(32630, 376_000, 6_034_000, 500, 96, 96)


def year_of(mission, count=24, seed=1):
    return passes_of(mission, seed=seed, anchor=ANCHOR, year=2024, count=count)


def test_passes_come_in_order_and_at_most_one_a_day():
    for mission in (SENTINEL1, SENTINEL2):
        days = [one.when.date() for one in year_of(mission)]
        assert len(set(days)) == 24
        assert days == sorted(days)
        assert {day.year for day in days} == {2024}


def test_gaps_between_passes_are_uneven():
    days = [one.day_of_year for one in year_of(SENTINEL2)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(days)]
    assert max(gaps) > 2 * min(gaps)


def test_the_radar_comes_as_often_from_the_south_as_from_the_north():
    directions = [one.direction for one in year_of(SENTINEL1)]
    assert directions.count("ascending") == directions.count("descending") == 12


def test_some_swaths_end_over_the_place_and_some_see_all_of_it():
    shares = {float(one.swath.covers(GRID).mean()) for one in year_of(SENTINEL2)}
    assert 1.0 in shares
    assert any(0.05 < share < 0.95 for share in shares)


def test_the_footprint_is_the_area_that_was_seen():
    for one in [*year_of(SENTINEL1, count=4), *year_of(SENTINEL2, count=4)]:
        seen = one.swath.covers(GRID).mean() * shapely.box(*GRID.bounds).area
        assert abs(one.swath.within(GRID.bounds).area - seen) < 0.01 * shapely.box(*GRID.bounds).area


def test_some_radar_passes_come_as_two_frames_that_overlap_and_leave_nothing_out():
    cut = [frames for one in year_of(SENTINEL1) if len(frames := frames_of(one)) > 1]
    assert len(cut) == 6
    for first, second in cut:
        assert first.when < second.when
        together = first.swath.covers(GRID) | second.swath.covers(GRID)
        assert together.all()
        assert 0 < (first.swath.covers(GRID) & second.swath.covers(GRID)).mean() < 0.1
        assert first.swath.within(GRID.bounds).intersects(second.swath.within(GRID.bounds))


def test_another_seed_has_other_dates():
    assert [one.when for one in year_of(SENTINEL2)] != [one.when for one in year_of(SENTINEL2, seed=2)]
