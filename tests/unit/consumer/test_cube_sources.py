"""Cubes that were made before: kept ones, those of other tools, and what neither may be taken for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from consumer.cube_store import CubeStore
from consumer.imagery.cube_file import write_cube
from consumer.imagery.losses import Loss
from consumer.imagery.search import Scene
from consumer.recipes.tessera.choose_source import choose_source
from consumer.recipes.tessera.download import Downloaded
from consumer.recipes.tessera.kept_cubes import KeptCubes, settings_digest
from consumer.recipes.tessera.synthetic import synthetic_cube
from consumer.recipes.tessera.tile_land import tile_land
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.errors import TryLater
from tests.unit.consumer.cube_rig import SETTINGS, TILE, YEAR, context, dataset, write_land

SCENE = Scene(
    id="S1A",
    collection="sentinel-1-rtc",
    acquired=datetime(2024, 6, 1, 6, 30, tzinfo=UTC),
    assets={"VV": "https://x.example/S1A/vv.tif?sig=secret", "VH": "https://x.example/S1A/vh.tif?sig=secret"},
    cloud_percent=None,
    orbit="ascending",
    baseline=None,
)
LOSS = Loss("S2A", "missing", "B04: HTTP 404")


@pytest.fixture
def land(tmp_path):
    write_land(tmp_path / "land.fgb")
    return tmp_path / "land.fgb"


class Archive:
    """A source whose imagery is a seeded year; counts what it was asked."""

    def __init__(self, settings, losses=()):
        self.settings, self.losses, self.asked = settings, losses, []

    def plan(self, tile, year, land):
        self.asked.append("plan")
        where = tile_land(tile, self.settings, land)
        return TilePlan(
            where.grid, where.mask, where.window, (), (SCENE,) * 200, (), left_out={"too cloudy": 3}
        )

    def memory_bytes(self, plan):
        return plan.memory_bytes(1, 1)

    def download(self, plan, progress):
        self.asked.append("download")
        progress(1.0)
        cube = synthetic_cube(*plan.window_grid.shape)
        return Downloaded(cube, [SCENE], list(self.losses), 1000, refusals={})


@pytest.fixture
def cubes(tmp_path):
    return CubeStore(SimulatedBlobStore(), tmp_path / "scratch")


def kept(cubes, settings=SETTINGS, digest="a" * 32, **archive):
    return KeptCubes(Archive(settings, **archive), cubes, settings, digest)


def fetch(source, land, tile=TILE):
    plan = source.plan(tile, YEAR, land)
    return plan, source.download(plan, lambda share: None)


def test_a_kept_cube_is_the_same_cube_with_the_same_history_and_nobody_is_asked(cubes, land):
    first, second = kept(cubes, losses=[LOSS]), kept(cubes, losses=[LOSS])
    plan, made = fetch(first, land)
    assert first.source.asked == ["plan", "download"]
    again, taken = fetch(second, land)
    assert second.source.asked == []
    assert taken.cube.digest() == made.cube.digest()
    assert (again.scene_count, again.left_out) == (plan.scene_count, plan.left_out)
    assert (again.window, again.grid) == (plan.window, plan.grid)
    assert taken.losses == [LOSS]
    assert [(scene.id, scene.acquired, scene.orbit) for scene in taken.used] == [
        (SCENE.id, SCENE.acquired, "ascending")
    ]
    assert again.ready.memory_bytes >= taken.cube.nbytes
    assert second.memory_bytes(again) > taken.cube.nbytes


def test_no_token_is_kept(tmp_path, land):
    store = SimulatedBlobStore()
    fetch(kept(CubeStore(store, tmp_path / "scratch")), land)
    for name in store.names("cubes/"):
        assert b"secret" not in store.read(name).data


def test_a_job_that_does_not_keep_still_takes(cubes, land):
    stingy = replace(SETTINGS, keep_cubes=0)
    fetch(kept(cubes, stingy), land)
    assert kept(cubes).plan(TILE, YEAR, land).ready is None
    fetch(kept(cubes), land)
    assert kept(cubes, stingy).plan(TILE, YEAR, land).ready is not None


def test_a_job_that_allows_fewer_losses_reads_for_itself_and_leaves_the_better_cube(cubes, land):
    fetch(kept(cubes, losses=[LOSS]), land)
    strict = replace(SETTINGS, max_lost_percent=0.0)
    whole = kept(cubes, strict)
    fetch(whole, land)
    assert whole.source.asked == ["plan", "download"]
    assert fetch(kept(cubes, strict), land)[1].losses == []


def test_a_cube_of_another_size_is_ignored(cubes, land):
    fetch(kept(cubes, replace(SETTINGS, resolution=250.0)), land)
    source = kept(cubes)
    assert fetch(source, land)[1].cube.check() is None
    assert source.source.asked == ["plan", "download"]


def test_a_cube_that_only_shows_its_fault_when_it_is_read_comes_back_as_imagery(cubes, land):
    source = kept(cubes)
    plan, made = fetch(source, land)
    broken = replace(made.cube, doys=np.full_like(made.cube.doys, 400))
    key = replace(plan.keep_as, period="2023")
    cubes.keep(key, lambda file: write_cube(broken, file), history(), days=2, size=1)
    plan = source.plan(TILE, 2023, land)
    with pytest.raises(TryLater, match=r"doys runs from 400.*next attempt reads the imagery"):
        source.download(plan, lambda share: None)
    assert source.plan(TILE, 2023, land).ready is None


@pytest.mark.parametrize(
    "change",
    [{"scene_count": "many"}, {"used": [{}]}, {"losses": [["a", "b", "c"]]}, {"left_out": ["cloudy"]}],
    ids=str,
)
def test_facts_that_make_no_sense_are_ignored(cubes, land, change):
    plan = kept(cubes).plan(TILE, YEAR, land)
    cube = synthetic_cube(*plan.window_grid.shape)
    cubes.keep(plan.keep_as, lambda file: write_cube(cube, file), history() | change, days=2, size=1)
    assert kept(cubes).plan(TILE, YEAR, land).ready is None


def history():
    return {"scene_count": 1, "used": [], "losses": [], "left_out": {}}


def test_models_share_cubes_and_everything_else_parts_them():
    usual = dataset().parameters
    base = settings_digest(dataset())
    for same in (
        {"parameters": {**usual, "model": "v1.1"}},
        {"parameters": {**usual, "dtype": "bf16"}},
        {"weights_sha256": "1" * 64, "is_trained": True},
    ):
        assert settings_digest(dataset(**same)) == base
    for other in (
        {"parameters": {**usual, "resolution": 10.0}},
        {"parameters": {**usual, "source": "aws"}},
        {"parameters": {**usual, "a parameter of tomorrow": 1}},
        {"code_version": "2"},
        {"boundaries_sha256": "1" * 64},
    ):
        assert settings_digest(dataset(**other)) != base


def test_a_year_that_is_not_over_is_read_anew(land, tmp_path, cubes):
    usual = dataset().parameters
    over = choose_source(context(land, tmp_path, cubes), SETTINGS)
    partial = context(land, tmp_path, cubes, parameters={**usual, "partial_year": True})
    assert isinstance(over, KeptCubes)
    assert not isinstance(choose_source(partial, SETTINGS), KeptCubes)
