"""What a run of drills prints, and what a drill works out about its tiles."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from contract.errors import BadInput
from contract.tile_id import parse_tile
from laptop_cloud.drills.catalogue import DRILLS, choose
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.run import Result
from laptop_cloud.drills.show import line, story, table
from laptop_cloud.drills.toy_tiles import YEAR, artifact_name, expected_bytes, one_struck, region
from laptop_cloud.toy_recipe import DECLARATION, ToyRecipe

FOLDER = Path("/logs/here")
COST = Cost(12, 14, 0.5, 30.2, ("leases free 0.3 s after the notice",))


def result(drill="a", seed=1, **facts):
    return Result(drill, seed, 10.0, FOLDER, **facts)


def failed(**facts):
    failure = DrillFailed("no message is left", "1 in tiles", "grid_-4.85_54.05")
    failure.history = "first\nsecond"
    return result(failure=failure, **facts)


def test_every_drill_has_a_name_of_its_own_and_says_what_one_learns_from_it():
    assert len({drill.name for drill in DRILLS}) == len(DRILLS)
    assert all(drill.lesson.endswith(".") and len(drill.lesson) > 40 for drill in DRILLS)


def test_drills_are_chosen_by_name_or_all_at_once():
    assert [drill.name for drill in choose(["lease-pause", "bad-gpu"])] == ["lease-pause", "bad-gpu"]
    assert choose(["all"]) == list(DRILLS)
    with pytest.raises(BadInput, match="no drill 'x'; there are: all, eviction-with-notice"):
        choose(["x"])


def test_a_failure_tells_law_tile_history_logs_and_how_to_see_it_again():
    told = story(failed(seed=7))
    for words in (
        "no message is left",
        "1 in tiles",
        "grid_-4.85_54.05",
        "    second",
        str(FOLDER),
        "fleetctl drill a --seed 7",
    ):
        assert words in told


def test_a_line_says_how_a_drill_ended():
    assert line(result(cost=COST)) == "passed a, seed 1, 10.0 s; leases free 0.3 s after the notice"
    assert line(failed()).startswith("FAILED a, seed 1, 10.0 s: no message is left")
    assert line(result(left_out="no small disks here")) == "left out a, seed 1, 10.0 s: no small disks here"


def test_the_table_has_a_row_per_drill_and_counts_failures():
    rows = table([result(cost=COST), failed(seed=2), failed(drill="b")]).splitlines()[2:]
    assert rows == [
        "| a | 1 of 2 | 10.0 | 12 | 14 | 0.5 | 30 | leases free 0.3 s after the notice |",
        "| b | 0 of 1 |  |  |  |  |  | 1 failed |",
    ]


def test_what_has_no_workers_has_no_attempts_to_count():
    (row,) = table([result(cost=Cost(500, None, None, None, ()))]).splitlines()[2:]
    assert row == "| a | 1 | 10.0 | 500 | - | - | - |  |"


def test_a_region_is_rows_of_six_cells_or_one_shorter_row():
    assert region(4) == (
        "bbox:-4.9,54.0,-4.5,54.1",
        ["grid_-4.85_54.05", "grid_-4.75_54.05", "grid_-4.65_54.05", "grid_-4.55_54.05"],
    )
    box, names = region(12)
    assert box == "bbox:-4.9,54.0,-4.3,54.2"
    assert len(set(names)) == 12
    with pytest.raises(ValueError, match="7 tiles"):
        region(7)


def toy(**settings):
    values = {parameter.name: parameter.default for parameter in DECLARATION.parameters}
    quick = {name: 0 for name in values if name.endswith("_seconds")}
    dataset = SimpleNamespace(name="toy-1234", period=str(YEAR))
    return ToyRecipe(SimpleNamespace(settings={**values, **quick, **settings}, dataset=dataset))


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_expected_bytes_are_those_of_the_toy_recipe(blocks, tmp_path):
    settings = {"blocks": blocks, "block_bytes": 70, "artifact_bytes": 333}
    recipe, tile = toy(**settings), parse_tile("grid_-4.85_54.05")
    prepared = recipe.prepare(recipe.plan(tile), None)
    result = recipe.infer(prepared, lambda _: None, threading.Event())
    (artifact,) = recipe.write(prepared, result, tmp_path).artifacts
    assert artifact.path.read_bytes() == expected_bytes("toy-1234", tile.name, settings)
    assert artifact.name == artifact_name(tile.name, 0)


@pytest.mark.parametrize("seed", range(20))
def test_one_tile_alone_is_struck(seed):
    _, names = region(6)
    struck, share = one_struck(seed, names)
    recipe = toy(fault="tile", fault_share=share, seed=seed)
    assert [name for name in names if recipe._fault_of(parse_tile(name)) == "tile"] == [struck]
