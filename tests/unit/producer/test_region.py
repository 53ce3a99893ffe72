"""What the words of a command mean: added up, subtracted, refused."""

import io
from itertools import permutations
from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.job import NAME_PATTERN
from producer.boundaries import Boundaries
from producer.region import MAX_LABEL, resolve

NATURAL_EARTH = Path(__file__).parents[4] / "shared" / "data" / "natural_earth" / "admin0_10m.parquet"


@pytest.fixture(scope="module")
def shipped():
    return Boundaries.shipped()


@pytest.fixture
def cells(shipped):
    """The cells of some words, as a set."""

    def found(*words, exclude=(), boundaries=shipped):
        region = resolve(words, exclude=exclude, boundaries=boundaries)
        return {(row, column) for row, column in region.cells.tolist()}

    return found


def refusal(boundaries, *words, exclude=(), **options):
    with pytest.raises(BadInput) as refused:
        resolve(words, exclude=exclude, boundaries=boundaries, **options)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_a_region_has_a_label_the_typed_text_and_sorted_cells(shipped):
    region = resolve(["Isle of Man"], boundaries=shipped)
    assert (region.label, region.text, len(region.cells)) == ("isle-of-man", "'Isle of Man'", 18)
    assert region.cells.tolist() == sorted(region.cells.tolist())
    assert next(region.tiles()).name == "grid_-4.75_54.05"


def test_several_regions_add_up_and_no_tile_comes_twice(cells):
    assert cells("Belgium", "Netherlands", "Luxembourg") == cells("Benelux")
    assert len(cells("Belgium", "Belgium")) == len(cells("Belgium"))


def test_the_order_of_regions_does_not_matter(shipped):
    words = ["Malta", "Isle of Man", "bbox:-5,54,-4.5,54.2"]
    lists = [resolve(order, boundaries=shipped).cells.tolist() for order in permutations(words)]
    assert all(tiles == lists[0] for tiles in lists)


def test_tiles_shared_with_an_excluded_neighbour_stay(cells):
    belgium, rest = cells("Belgium"), cells("Benelux", exclude=["Belgium"])
    assert rest == cells("Netherlands", "Luxembourg")
    assert rest & belgium


@pytest.mark.skipif(not NATURAL_EARTH.exists(), reason="Natural Earth's file is not here")
def test_with_natural_earth_a_country_without_a_part_is_its_other_parts(cells):
    natural_earth = Boundaries.load(NATURAL_EARTH)
    rest = cells("UK", exclude=["Scotland"], boundaries=natural_earth)
    assert rest == cells("England", "Wales", "N. Ireland", boundaries=natural_earth)


def test_with_the_shipped_boundaries_a_country_without_a_part_is_its_other_parts(cells):
    assert cells("UK", exclude=["Scotland"]) == cells("England", "Wales", "Northern Ireland")


def test_a_listed_tile_is_excluded_whole_and_a_border_tile_only_with_its_whole_area(cells, tmp_path):
    box = "bbox:0,0,0.3,0.1"
    assert cells(box, exclude=["grid_0.15_0.05"]) == {(0, 0), (0, 2)}
    assert cells(box, exclude=["bbox:0.1,0,0.25,0.1"]) == {(0, 0), (0, 2)}
    assert cells("grid_0.05_0.05", "grid_0.15_0.05", exclude=["bbox:0.1,0,0.25,0.1"]) == {(0, 0)}
    assert cells("grid_0.05_0.05", exclude=["bbox:0,0,0.05,0.1"]) == {(0, 0)}


def test_two_exclusions_that_share_a_tile_between_them_exclude_it(cells):
    halves = ["bbox:0,0,0.15,0.1", "bbox:0.15,0,0.2,0.1"]
    assert cells("grid_0.05_0.05", "grid_0.15_0.05", "grid_0.25_0.05", exclude=halves) == {(0, 2)}


def test_a_box_may_cross_the_antimeridian(shipped):
    region = resolve(["bbox:179.85,-17,-179.9,-16.9"], boundaries=shipped)
    assert [tile.name for tile in region.tiles()] == [
        "grid_-179.95_-16.95",
        "grid_179.85_-16.95",
        "grid_179.95_-16.95",
    ]
    assert region.label == "bbox-179-85e-17s-179-9w-16-9s"


def test_a_tile_list_may_have_comments_blank_lines_and_windows_line_ends(cells, tmp_path):
    path = tmp_path / "some tiles.txt"
    path.write_bytes(b"\xef\xbb\xbf# coast\r\n\r\ngrid_-4.55_54.15  # harbour\r\ngrid_-4.55_54.15\r\n")
    assert cells(str(path)) == {(541, -46)}


def test_a_tile_list_may_come_on_standard_input(shipped):
    region = resolve(
        ["-"], boundaries=shipped, standard_input=io.StringIO("grid_0.05_0.05\ngrid_-0.05_0.05\n")
    )
    assert (region.label, region.cells.tolist()) == ("tiles", [[0, -1], [0, 0]])
    assert "standard input" in refusal(shipped, "-")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("grid_0.05_0.01", "line 2: 'grid_0.05_0.01' is no tile"),
        ("14/8000/5300", "line 2: 14/8000/5300 is a web-map tile"),
    ],
)
def test_a_malformed_line_of_a_tile_list_is_named(shipped, tmp_path, line, complaint):
    path = tmp_path / "tiles.txt"
    path.write_text(f"grid_0.05_0.05\n{line}\n")
    assert complaint in refusal(shipped, str(path))


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("Walse", "'Walse': did you mean Wales?"),
        ("bbox:1,2,3", "has 3 numbers"),
        ("bbox:a,2,3,4", "'a' in 'bbox:a,2,3,4' is no number"),
        ("bbox:nan,2,3,4", "is no number"),
        ("bbox:1e-99999,2,3,4", "is no number"),
        ("bbox:1,5,3,4", "has no height"),
        ("bbox:1,4,1,5", "has no width"),
        ("bbox:1,5,181,6", "leaves the earth"),
        ("bbox:1,5,2,90.1", "leaves the earth"),
        ("grid_0.05_0.01", "is no tile"),
        ("absent.geojson", "no file absent.geojson"),
        ("./absent", "no file absent"),
        ("absent.txt", "absent.txt cannot be read"),
    ],
)
def test_a_word_that_means_nothing_is_named(shipped, word, complaint):
    assert complaint in refusal(shipped, word)


def test_an_empty_region_is_refused(shipped, tmp_path):
    assert "no region is given" in refusal(shipped)
    assert "everything in it is excluded" in refusal(shipped, "Malta", exclude=["Malta"])
    (tmp_path / "none.txt").write_text("# nothing\n")
    assert "has no tile" in refusal(shipped, str(tmp_path / "none.txt"))


def test_a_name_without_its_quotes_is_recognised(shipped):
    assert "'Isle of Man'" in refusal(shipped, "Isle", "of", "Man")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "exclude", "label"),
    [
        (["Côte d'Ivoire"], [], "cote-d-ivoire"),
        (["Europe"], ["Belgium"], "europe-without-belgium"),
        (["Malta", "Cyprus", "Jersey", "Guernsey", "Andorra"], [], "malta-and-4-more"),
        (["Bosnia and Herzegovina", "Trinidad and Tobago"], [], "bosnia-and-herzegovina-trinidad-and"),
    ],
)
def test_a_label_is_short_readable_and_fit_for_a_jobs_name(shipped, words, exclude, label):
    region = resolve(words, exclude=exclude, boundaries=shipped)
    assert region.label == label
    assert len(region.label) <= MAX_LABEL
    assert NAME_PATTERN.fullmatch(f"{region.label}-2024")
