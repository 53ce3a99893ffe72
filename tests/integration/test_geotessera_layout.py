"""The published layout, opened by the software that other people use: geotessera and its registry tool."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely

from consumer.imagery.pixel_grid import grid_of
from consumer.recipe import Imagery, Prepared, RecipeContext
from consumer.recipes.tessera.engine import Embedding
from consumer.recipes.tessera.land_mask import land_mask, land_window
from consumer.recipes.tessera.provenance import ScenesOfTile
from consumer.recipes.tessera.recipe import PreparedTile, TesseraRecipe
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.dataset import Dataset
from contract.tile_id import parse_tile

pytestmark = pytest.mark.slow

TILES = ("grid_-4.55_54.15", "grid_-4.45_54.15")
SEA = "grid_-4.95_54.15"
YEAR = "2024"
RESOLUTION_METRES = 500.0


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A dataset root with two tiles on land and an empty one, published as a worker does, and registered."""
    folder = tmp_path_factory.mktemp("dataset")
    land = folder / "land.fgb"
    island = shapely.to_wkb(np.array([shapely.box(-4.7, 54.0, -4.4, 54.3)], dtype=object))
    pyogrio.raw.write(land, island, [], [], driver="FlatGeobuf", geometry_type="Polygon", crs="EPSG:4326")
    recipe = TesseraRecipe(context(land, folder))
    root = folder / "root"
    for tile in (*TILES, SEA):
        publish(recipe, tile, land, folder / tile, root)
    (root / "commits" / TILES[0]).mkdir(parents=True)
    (root / "commits" / TILES[0] / "g1").write_text("{}")
    (root / "dataset.json").write_text("{}")
    for command in (["hash"], ["scan"]):
        registry_tool(*command, root)
    return root


def context(land, scratch):
    dataset = Dataset(
        recipe="tessera",
        code_version="1",
        period=YEAR,
        parameters={"model": "v2-nano", "resolution": RESOLUTION_METRES},
        weights_sha256=None,
        is_trained=False,
        boundaries_sha256="0" * 64,
    )
    imagery = Imagery("http://127.0.0.1:9", "mpc")
    return RecipeContext(
        dataset=dataset, settings={}, imagery=imagery, weights=None, land=land, scratch=scratch
    )


def embedding_of(mask):
    """Any values, on land only; seeded by the land itself."""
    generator = np.random.default_rng(int(mask.sum()))
    rows, columns = land_window(mask)
    on_land = mask[rows, columns] > 0
    quantised = generator.integers(-127, 128, (*on_land.shape, 128)).astype(np.int8)
    scales = np.where(on_land, generator.random(on_land.shape) + 0.01, 0).astype(np.float32)
    quantised[~on_land] = 0
    return Embedding(quantised, scales)


def publish(recipe, name, land, folder, root):
    tile = parse_tile(name)
    grid = grid_of(tile, RESOLUTION_METRES)
    mask = land_mask(land, grid, 500.0)
    plan = TilePlan(grid, mask, land_window(mask), optical=(), ascending=(), descending=())
    scenes = ScenesOfTile(found=0, used=(), losses=())
    detail = PreparedTile(plan, cube=None, cube_sha256=None, scenes=scenes, seconds={})
    prepared = Prepared(tile, memory_bytes=0, downloaded_bytes=0, is_empty=name == SEA, detail=detail)
    folder.mkdir()
    written = recipe.write(prepared, None if name == SEA else embedding_of(mask), folder)
    for artifact in written.artifacts:
        target = root / artifact.name
        target.parent.mkdir(parents=True, exist_ok=True)
        artifact.path.replace(target)


def registry_tool(*arguments):
    command = [str(Path(sys.executable).with_name("geotessera-registry")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def client(root, tmp_path_factory):
    from geotessera import GeoTessera

    return GeoTessera(
        embeddings_dir=str(root), registry_dir=str(root), cache_dir=str(tmp_path_factory.mktemp("cache"))
    )


def test_the_registry_tool_finds_every_tile_and_every_hash_right(root):
    assert "All checks passed" in registry_tool("check", "--verify-hashes", root)


def test_our_digests_are_those_that_the_tool_would_write(root):
    folder = root / "global_0.1_degree_representation" / YEAR / TILES[0]
    ours = (folder / "SHA256").read_text()
    (folder / "SHA256").unlink()
    registry_tool("hash", root)
    assert sorted((folder / "SHA256").read_text().split()) == sorted(ours.split())


@pytest.mark.parametrize("name", TILES)
def test_the_client_reads_values_and_place(root, client, name):
    tile = parse_tile(name)
    grid = grid_of(tile, RESOLUTION_METRES)
    longitude, latitude = tile.centre
    values, crs, transform = client.fetch_embedding(lon=longitude, lat=latitude, year=int(YEAR))
    folder = root / "global_0.1_degree_representation" / YEAR / name
    quantised, scales = np.load(folder / f"{name}.npy"), np.load(folder / f"{name}_scales.npy")
    np.testing.assert_allclose(values, quantised.astype(np.float32) * scales[:, :, np.newaxis])
    assert values.shape == (*grid.shape, 128)
    assert crs.to_epsg() == grid.epsg
    assert transform.almost_equals(grid.transform)


def test_the_client_exports_a_geotiff_on_the_same_grid(client, tmp_path):
    import rasterio

    longitude, latitude = parse_tile(TILES[0]).centre
    client.export_embedding_geotiff(longitude, latitude, str(tmp_path / "tile.tiff"), int(YEAR))
    with rasterio.open(tmp_path / "tile.tiff") as file:
        grid = grid_of(parse_tile(TILES[0]), RESOLUTION_METRES)
        assert (file.count, file.shape, file.transform) == (128, grid.shape, grid.transform)
