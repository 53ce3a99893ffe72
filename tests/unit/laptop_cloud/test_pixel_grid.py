import json
from pathlib import Path

import pytest

from contract.errors import BadInput
from laptop_cloud.scenes.pixel_grid import bounds_in_utm, granules_over, utm_epsg, window_over

ISLE_OF_MAN = (-4.9, 54.0, -4.2, 54.45)
REAL_ITEMS = Path(__file__).parents[3].parent / "shared/data/real/stac/planetary-computer_sentinel-2-l2a"


def granules_at(bbox, epsg, spacing):
    return granules_over(bounds_in_utm(bbox, epsg), epsg=epsg, spacing=spacing)


def test_the_isle_of_man_lies_in_the_corner_of_four_granules():
    granules = granules_at(ISLE_OF_MAN, utm_epsg(-4.55, 54.2), 50)
    assert [granule.name for granule in granules] == ["30UUE", "30UUF", "30UVE", "30UVF"]


def test_neighbouring_granules_overlap_by_ten_kilometres():
    bounds = {granule.name: granule.grid.bounds for granule in granules_at(ISLE_OF_MAN, 32630, 10)}
    assert bounds["30UUF"][2] - bounds["30UVF"][0] == 409_800 - 399_960


def test_bands_of_twice_the_spacing_share_the_corner():
    for granule in granules_at(ISLE_OF_MAN, 32630, 50):
        coarse = granule.grid.halved()
        assert coarse.bounds == granule.grid.bounds
        assert coarse.spacing == 100


def test_a_window_covers_the_place_and_its_margin():
    bounds = bounds_in_utm(ISLE_OF_MAN, 32630)
    grid = window_over(bounds, epsg=32630, spacing=10)
    left, bottom, right, top = grid.bounds
    assert left <= bounds[0] - 160
    assert bottom <= bounds[1] - 160
    assert right >= bounds[2] + 160
    assert top >= bounds[3] + 160
    assert grid.left % 20 == grid.top % 20 == 0


def test_a_spacing_that_does_not_fit_is_refused_with_those_that_do():
    with pytest.raises(BadInput, match=r"70 m does not divide .* take 10, 20"):
        granules_at(ISLE_OF_MAN, 32630, 70)


@pytest.mark.skipif(not REAL_ITEMS.exists(), reason="the real items are not here")
def test_granules_have_the_names_and_corners_of_the_real_ones():
    for path in sorted(REAL_ITEMS.glob("*.json")):
        item = json.loads(path.read_text())
        left, bottom, right, top = item["assets"]["B02"]["proj:bbox"]
        epsg = item["properties"]["proj:epsg"]
        corners = {}
        for granule in granules_over((left, bottom, right, top), epsg=epsg, spacing=10):
            corners[granule.name] = granule.grid.bounds
        assert corners[item["properties"]["s2:mgrs_tile"]] == (left, bottom, right, top), path.name


def test_south_of_the_equator_names_and_zones_are_those_of_the_south():
    epsg = utm_epsg(18.42, -33.92)
    assert epsg == 32734
    names = [granule.name for granule in granules_at((18.40, -33.95, 18.42, -33.92), epsg, 10)]
    assert names == ["34HBH"]
