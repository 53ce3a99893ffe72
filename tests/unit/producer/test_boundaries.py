"""The shipped boundaries and what their names mean; Natural Earth's own file where it is at hand."""

from pathlib import Path

import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from contract.errors import BadInput
from producer.boundaries import Boundaries, open_boundaries
from producer.grid import mask_touching
from producer.place_names import Kind, PlaceNames, folded

NATURAL_EARTH = Path(__file__).parents[4] / "shared" / "data" / "natural_earth" / "admin0_10m.parquet"
SHIPPED = Path(__file__).parents[3] / "producer" / "data" / "boundaries.parquet"
needs_natural_earth = pytest.mark.skipif(
    not NATURAL_EARTH.exists(), reason="Natural Earth's file is not here"
)

MOST_DIFFERENCE = 3
"""Tiles of one country by which the shipped boundaries may differ from Natural Earth's newest."""


@pytest.fixture(scope="module")
def shipped():
    return Boundaries.shipped()


@pytest.fixture(scope="module")
def natural_earth():
    if not NATURAL_EARTH.exists():
        pytest.skip("Natural Earth's file is not here")
    return Boundaries.load(NATURAL_EARTH)


def tile_count(place):
    return int(mask_touching(place.geometry).sum())


def country_names(path):
    table = pq.read_table(path, columns=["level", "name"]).to_pylist()
    return [row["name"] for row in table if row["level"] == "country"]


def test_the_shipped_isle_of_man_has_eighteen_tiles(shipped):
    assert tile_count(shipped.find("Isle of Man")) == 18


@pytest.mark.parametrize(
    ("typed", "found", "kind"),
    [
        ("UK", "UK", Kind.ALIAS),
        ("United Kingdom", "United Kingdom", Kind.COUNTRY),
        ("GB", "United Kingdom", Kind.COUNTRY),
        ("gbr", "United Kingdom", Kind.COUNTRY),
        ("Scotland", "Scotland", Kind.PART),
        ("isle-of-man", "Isle of Man", Kind.COUNTRY),
        ("COTE D'IVOIRE", "Côte d'Ivoire", Kind.COUNTRY),
        ("Democratic Republic of the Congo", "Dem. Rep. Congo", Kind.COUNTRY),
        ("FR", "France", Kind.COUNTRY),
        ("AU", "Australia", Kind.COUNTRY),
        ("NA", "Namibia", Kind.COUNTRY),
        ("Micronesia", "Micronesia", Kind.COUNTRY),
        ("Antarctica", "Antarctica", Kind.COUNTRY),
        ("europe", "Europe", Kind.CONTINENT),
        ("Northern Europe", "Northern Europe", Kind.SUBREGION),
        ("Americas", "Americas", Kind.REGION),
        ("Latin America", "Latin America", Kind.ALIAS),
    ],
)
def test_a_name_means_the_same_place_in_both_files(shipped, request, typed, found, kind):
    place = shipped.find(typed)
    assert (place.name, place.kind) == (found, kind)
    if NATURAL_EARTH.exists():
        other = request.getfixturevalue("natural_earth").find(typed)
        assert (other.name, other.kind) == (found, kind)


@pytest.mark.slow
@needs_natural_earth
def test_every_country_of_both_files_agrees_within_three_tiles(shipped, natural_earth):
    in_both = set(country_names(SHIPPED)) & set(country_names(NATURAL_EARTH))
    assert len(in_both) == 258
    differences = {}
    for name in sorted(in_both):
        ours, theirs = (mask_touching(source.find(name).geometry) for source in (shipped, natural_earth))
        differences[name] = int((ours ^ theirs).sum())
    assert {name: tiles for name, tiles in differences.items() if tiles > MOST_DIFFERENCE} == {}


@needs_natural_earth
@pytest.mark.parametrize("part", ["England", "Scotland", "Wales", "Northern Ireland"])
def test_the_parts_of_the_united_kingdom_agree_with_natural_earth(shipped, natural_earth, part):
    ours, theirs = (mask_touching(source.find(part).geometry) for source in (shipped, natural_earth))
    assert int((ours ^ theirs).sum()) <= MOST_DIFFERENCE


def test_the_parts_of_the_united_kingdom_are_together_the_whole(shipped):
    parts = [shipped.find(name).geometry for name in ("England", "Scotland", "Wales", "Northern Ireland")]
    left = shapely.difference(shipped.find("UK").geometry, shapely.union_all(parts))
    assert left.area < 1e-4 * shipped.find("UK").geometry.area


ACROSS_THE_ANTIMERIDIAN = ["Fiji", "Russia", "United States of America", "New Zealand", "Kiribati"]


@pytest.mark.parametrize("country", ACROSS_THE_ANTIMERIDIAN)
def test_a_country_across_the_antimeridian_is_no_band_around_the_earth(shipped, country):
    polygons = shapely.get_parts(shipped.find(country).geometry)
    west, _, east, _ = shapely.bounds(polygons).T
    assert -180 <= west.min() < -170
    assert 165 < east.max() <= 180
    # Russia's mainland is the widest: from 27 to 180 degrees east.
    assert (east - west).max() < 160


def test_antarctica_reaches_the_pole(shipped):
    assert mask_touching(shipped.find("Antarctica").geometry)[0].all()


def test_every_shipped_shape_is_valid_and_named(shipped):
    rows = pq.read_table(SHIPPED).to_pylist()
    shapes = shapely.from_wkb([row["geometry"] for row in rows])
    assert shapely.is_valid(shapes).all()
    assert all(row["name"] and row["continent"] for row in rows)


def test_an_unknown_name_is_answered_with_the_nearest_one(shipped):
    with pytest.raises(BadInput, match=r"'Walse': did you mean Wales\?"):
        shipped.find("Walse")
    with pytest.raises(BadInput, match=r"did you mean United Kingdom\?"):
        shipped.find("Untied Kingdom")
    with pytest.raises(BadInput, match="--boundaries"):
        shipped.find("qqqqqqqq")


def test_a_short_name_belongs_to_its_own_country_before_anothers_long_name():
    rows = [
        {"level": "country", "name": "A", "name_long": "B", "continent": "C"},
        {"level": "country", "name": "B", "name_long": "Long B", "continent": "C"},
        {"level": "map_unit", "name": "A", "continent": "C"},
    ]
    names = PlaceNames(rows, {"Both": ["A", "Long B"], "Absent": ["A", "Nowhere"]})
    assert names.meaning("b").rows == (1,)
    assert names.meaning("a").rows == (0,)
    assert names.meaning("both").rows == (0, 1)
    assert names.meaning("c").rows == (0, 1)
    assert not names.has("absent")


def test_folding_forgets_case_accents_and_punctuation():
    assert folded("Côte d'Ivoire") == folded("COTE-DIVOIRE") == "cotedivoire"
    assert folded("U.K.") == folded("uk")


def test_the_land_file_has_every_countrys_polygons_and_is_read_by_bounding_box(shipped, tmp_path):
    path = tmp_path / "land.fgb"
    path.write_bytes(shipped.land_flatgeobuf())
    assert path.read_bytes() == shipped.land_flatgeobuf()
    about = pyogrio.read_info(path)
    assert (about["crs"], about["geometry_type"]) == ("EPSG:4326", "Polygon")
    assert about["capabilities"]["fast_spatial_filter"]
    island = shipped.find("Isle of Man").geometry
    _, _, near, _ = pyogrio.raw.read(path, bbox=island.bounds)
    assert shapely.union_all(shapely.from_wkb(near)).equals(island)


def test_the_same_choice_gives_the_same_digest(shipped, tmp_path):
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(SHIPPED.read_bytes())
    assert (
        open_boundaries(str(copy), tmp_path).sha256
        == shipped.sha256
        == open_boundaries(None, tmp_path).sha256
    )
    assert len(shipped.sha256) == 64
