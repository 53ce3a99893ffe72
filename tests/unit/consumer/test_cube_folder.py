"""Cubes that another tool made, in a folder per tile."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from consumer.recipes.tessera.recipe import TesseraRecipe
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.synthetic import synthetic_cube
from consumer.recipes.tessera.tile_land import tile_land
from contract.errors import BadInput, GiveUp, WorkerUnfit
from contract.tile_id import parse_tile
from tests.unit.consumer.cube_rig import SETTINGS, TILE, YEAR, context, dataset, write_land

SEA = parse_tile("grid_-20.05_40.05")


@pytest.fixture
def land(tmp_path):
    write_land(tmp_path / "land.fgb")
    return tmp_path / "land.fgb"


def folder_recipe(land, tmp_path) -> TesseraRecipe:
    parameters = {**dataset().parameters, "cubes": "sisters-2024"}
    return TesseraRecipe(context(land, tmp_path, parameters=parameters))


def folder_of(tmp_path, tile=TILE):
    return tmp_path / "cubes" / "sisters-2024" / str(YEAR) / tile.name


@pytest.mark.parametrize("is_whole", [True, False], ids=["of the whole tile", "of the land's window"])
def test_a_cube_that_another_tool_made_is_inferred_and_named_in_the_provenance(land, tmp_path, is_whole):
    recipe = folder_recipe(land, tmp_path)
    where = tile_land(TILE, SETTINGS, land)
    whole = synthetic_cube(*where.grid.shape)
    window = replace(
        whole,
        **{
            name: np.ascontiguousarray(getattr(whole, name)[(slice(None), *where.window)])
            for name in ("bands", "masks", "sar_ascending", "sar_descending")
        },
    )
    (whole if is_whole else window).save(folder_of(tmp_path))
    plan = recipe.plan(TILE)
    prepared = recipe.prepare(plan, recipe.download(plan, lambda share: None))
    assert prepared.detail.cube_sha256 == window.digest()
    assert prepared.memory_bytes <= plan.memory_bytes
    embedding = recipe.infer(prepared, lambda share: None, threading.Event())
    (tmp_path / "out").mkdir()
    written = recipe.write(prepared, embedding, tmp_path / "out")
    assert written.provenance["scenes"] == {"found": 0, "used": 0, "lost": {}, "from": "cubes sisters-2024"}
    assert json.loads(json.dumps(written.provenance))["parameters"]["cubes"] == "sisters-2024"


def test_a_missing_cube_of_another_tool_is_no_empty_tile(land, tmp_path):
    with pytest.raises(GiveUp, match=r"there is no cube in .*sisters-2024/2024/grid_-4\.55_54\.15"):
        folder_recipe(land, tmp_path).plan(TILE)


def test_a_tile_of_sea_needs_no_cube(land, tmp_path):
    recipe = folder_recipe(land, tmp_path)
    plan = recipe.plan(SEA)
    assert recipe.prepare(plan, recipe.download(plan, lambda share: None)).is_empty


def test_a_cube_of_another_tile_is_given_up_by_its_size(land, tmp_path):
    synthetic_cube(4, 5).save(folder_of(tmp_path))
    recipe = folder_recipe(land, tmp_path)
    with pytest.raises(GiveUp, match=r"has \(4, 5\) pixels, the tile has"):
        recipe.download(recipe.plan(TILE), lambda share: None)


def test_a_worker_without_the_cubes_folder_is_unfit(land, tmp_path):
    pinned = context(land, tmp_path, parameters={**dataset().parameters, "cubes": "sisters-2024"})
    with pytest.raises(WorkerUnfit, match="TILEFLEET_CONSUMER_CUBES_FOLDER"):
        TesseraRecipe(replace(pinned, cubes_folder=None))


@pytest.mark.parametrize("name", ["../secret", "a/b", "/etc", "A", ""])
def test_a_collection_is_named_without_ways_out_of_its_folder(name):
    if not name:
        assert TesseraSettings.of({"cubes": name}).cubes == ""
        return
    with pytest.raises(BadInput, match="is not written as"):
        TesseraSettings.of({"cubes": name})
