"""Cubes that were made before: kept ones, those of other tools, and what neither may be taken for."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyogrio.raw
import pytest
import shapely

from consumer.cube_store import CubeStore
from consumer.imagery.cube_file import cube_shape, read_cube, write_cube
from consumer.imagery.losses import Loss
from consumer.imagery.search import Scene
from consumer.recipe import Imagery, RecipeContext
from consumer.recipes.tessera.choose_source import choose_source
from consumer.recipes.tessera.download import Downloaded
from consumer.recipes.tessera.kept_cubes import KeptCubes, settings_digest
from consumer.recipes.tessera.recipe import TesseraRecipe
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.synthetic import synthetic_cube
from consumer.recipes.tessera.tile_land import tile_land
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.dataset import Dataset
from contract.errors import BadInput, GiveUp, TryLater, WorkerUnfit
from contract.tile_id import parse_tile

TILE = parse_tile("grid_-4.55_54.15")
SEA = parse_tile("grid_-20.05_40.05")
YEAR = 2024
SETTINGS = TesseraSettings.of({"model": "v2-nano", "resolution": 500.0, "keep_cubes": 2})
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
    path = tmp_path / "land.fgb"
    shape = shapely.to_wkb(np.array([shapely.box(-4.58, 54.12, -4.52, 54.18)], dtype=object))
    pyogrio.raw.write(path, shape, [], [], driver="FlatGeobuf", geometry_type="Polygon", crs="EPSG:4326")
    return path


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
    "change", [{"scene_count": "many"}, {"used": [{}]}, {"losses": [["a", "b", "c"]]}], ids=str
)
def test_facts_that_make_no_sense_are_ignored(cubes, land, change):
    plan = kept(cubes).plan(TILE, YEAR, land)
    cube = synthetic_cube(*plan.window_grid.shape)
    cubes.keep(plan.keep_as, lambda file: write_cube(cube, file), history() | change, days=2, size=1)
    assert kept(cubes).plan(TILE, YEAR, land).ready is None


def history():
    return {"scene_count": 1, "used": [], "losses": [], "left_out": {}}


def dataset(**changes) -> Dataset:
    values = {
        "recipe": "tessera",
        "code_version": "1",
        "period": str(YEAR),
        "parameters": {"model": "v2-nano", "dtype": "fp32", "resolution": 500.0},
        "weights_sha256": None,
        "is_trained": False,
        "boundaries_sha256": "0" * 64,
    }
    return Dataset(**{**values, **changes})


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


def context(land, tmp_path, cubes=None, **pins) -> RecipeContext:
    return RecipeContext(
        dataset=dataset(**pins),
        settings={},
        imagery=Imagery("http://127.0.0.1:9", "mpc"),
        weights=None,
        land=land,
        scratch=tmp_path,
        cube_store=cubes,
        cubes_folder=tmp_path / "cubes",
    )


def test_a_year_that_is_not_over_is_read_anew(land, tmp_path, cubes):
    usual = dataset().parameters
    over = choose_source(context(land, tmp_path, cubes), SETTINGS)
    partial = context(land, tmp_path, cubes, parameters={**usual, "partial_year": True})
    assert isinstance(over, KeptCubes)
    assert not isinstance(choose_source(partial, SETTINGS), KeptCubes)


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


def as_file(**arrays) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file


def test_a_file_tells_its_size_and_gives_back_its_cube():
    cube, file = synthetic_cube(3, 4), io.BytesIO()
    write_cube(cube, file)
    shape = cube_shape(file)
    assert (shape.height, shape.width, shape.nbytes) == (3, 4, cube.nbytes)
    assert read_cube(file).digest() == cube.digest()


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (io.BytesIO(b"no zip"), "no file of a cube"),
        (as_file(other=np.zeros(3)), "this one has other"),
        (as_file(masks=np.array([{}], dtype=object)), "has masks"),
    ],
    ids=["no zip", "other arrays", "objects"],
)
def test_a_file_of_something_else_is_named(file, sentence):
    with pytest.raises(GiveUp, match=sentence):
        cube_shape(file)


def test_a_compressed_file_is_refused_before_it_can_unfold():
    file = io.BytesIO()
    np.savez_compressed(file, masks=np.zeros((1000, 1000)))
    with pytest.raises(GiveUp, match="compressed"):
        cube_shape(file)


def test_a_header_that_promises_more_than_there_is_is_refused():
    file, member = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<u2", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("masks.npy", member.getvalue())
    with pytest.raises(GiveUp, match="promises"):
        cube_shape(file)
