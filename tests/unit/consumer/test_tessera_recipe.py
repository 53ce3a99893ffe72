"""What the recipe decides without any imagery: pins, empty tiles, the self-test, names and provenance."""

import json
from datetime import UTC, datetime

import numpy as np
import pyogrio.raw
import pytest
import shapely

from consumer.imagery.losses import Loss
from consumer.imagery.search import Scene
from consumer.recipe import Imagery, RecipeContext
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.layout import TileNames
from consumer.recipes.tessera.provenance import ScenesOfTile, common_address
from consumer.recipes.tessera.recipe import TesseraRecipe
from consumer.recipes.tessera.selftest import check_engine, cosine, known_cube
from consumer.recipes.tessera.untrained import untrained_weights
from contract import artifact_names
from contract.dataset import Dataset
from contract.errors import GiveUp, TryLater, WorkerUnfit
from contract.tile_id import parse_tile

NOWHERE = "http://127.0.0.1:9"
TILE = parse_tile("grid_-4.55_54.15")


@pytest.fixture
def context(tmp_path):
    """A context of an untrained nano dataset on a coarse grid, with changes."""
    land = tmp_path / "land.fgb"
    pyogrio.raw.write(
        land,
        shapely.to_wkb(np.array([shapely.box(-4.6, 54.1, -4.5, 54.2)], dtype=object)),
        [],
        [],
        driver="FlatGeobuf",
        geometry_type="Polygon",
        crs="EPSG:4326",
    )

    def make(*, source="mpc", weights=None, settings=None, **pins):
        dataset = {
            "recipe": "tessera",
            "code_version": "1",
            "period": "2024",
            "parameters": {"model": "v2-nano", "source": "mpc", "resolution": 200.0},
            "weights_sha256": None,
            "is_trained": False,
            "boundaries_sha256": "0" * 64,
        }
        return RecipeContext(
            dataset=Dataset(**{**dataset, **pins}),
            settings=settings or {},
            imagery=Imagery(NOWHERE, source),
            weights=weights,
            land=land,
            scratch=tmp_path,
        )

    return make


def test_a_tile_of_open_sea_is_empty_without_asking_the_catalogue(context, tmp_path):
    recipe = TesseraRecipe(context())
    plan = recipe.plan(parse_tile("grid_-20.05_40.05"))
    prepared = recipe.prepare(plan, recipe.download(plan, lambda share: None))
    assert prepared.is_empty
    written = recipe.write(prepared, None, tmp_path)
    assert [artifact.name for artifact in written.artifacts] == [
        "global_0.1_degree_tiff_all/grid_-20.05_40.05.tiff",
        "provenance/2024/grid_-20.05_40.05.json",
    ]
    assert written.provenance["land_pixels"] == 0
    assert json.loads(written.artifacts[1].path.read_text())["cube_sha256"] is None


def test_a_disk_that_cannot_be_written_is_the_machines_fault(context, tmp_path):
    recipe = TesseraRecipe(context())
    plan = recipe.plan(parse_tile("grid_-20.05_40.05"))
    with pytest.raises(WorkerUnfit, match=r"grid_-20\.05_40\.05"):
        recipe.write(recipe.prepare(plan, None), None, tmp_path / "not there")


def test_a_catalogue_that_is_away_is_no_empty_tile(context):
    with pytest.raises(TryLater, match="sentinel-2-l2a"):
        TesseraRecipe(context()).plan(TILE)


def test_a_web_tile_is_given_up(context):
    with pytest.raises(GiveUp, match="14/8000/5300"):
        TesseraRecipe(context()).plan(parse_tile("14/8000/5300"))


def test_a_worker_on_another_archive_is_unfit(context):
    with pytest.raises(WorkerUnfit, match="pins source mpc, this worker's catalogue follows aws"):
        TesseraRecipe(context(source="aws"))


def test_a_worker_without_the_pinned_weights_is_unfit(context):
    with pytest.raises(WorkerUnfit, match="needs trained weights"):
        TesseraRecipe(context(is_trained=True, weights_sha256="1" * 64))


def test_a_worker_with_another_weights_file_is_unfit(context, tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"other bytes")
    with pytest.raises(WorkerUnfit, match="SHA-256"):
        TesseraRecipe(context(is_trained=True, weights_sha256="1" * 64, weights=tmp_path / "weights.pt"))


def test_a_parameter_that_this_release_does_not_know_makes_it_unfit(context):
    with pytest.raises(WorkerUnfit, match="no parameter tiling"):
        TesseraRecipe(context(parameters={"model": "v2-nano", "tiling": "new"}))


def test_what_the_dataset_pins_beats_what_the_job_says(context):
    recipe = TesseraRecipe(context(settings={"resolution": 10.0, "download_threads": 3}))
    assert recipe.plan(parse_tile("grid_-20.05_40.05")).detail.grid.resolution == 200


def test_a_sound_engine_passes_the_self_test(context):
    TesseraRecipe(context()).selftest()
    check_engine(Engine(untrained_weights("v2-nano"), dtype="bf16"), "mpc")


def test_an_engine_that_forgets_pixels_fails_the_self_test():
    class Forgetful(Engine):
        def infer(self, *args, **kwargs):
            result = super().infer(*args, **kwargs)
            result.scales[0, 0] = 0
            return result

    with pytest.raises(WorkerUnfit, match="without a value"):
        check_engine(Forgetful(untrained_weights("v2-nano")), "mpc")


def test_an_engine_that_does_not_repeat_itself_fails_the_self_test():
    class Unsteady(Engine):
        calls = 0

        def infer(self, *args, **kwargs):
            result = super().infer(*args, **kwargs)
            self.calls += 1
            result.quantised[0, 0, 0] = self.calls
            return result

    with pytest.raises(WorkerUnfit, match="two results for one input"):
        check_engine(Unsteady(untrained_weights("v2-nano")), "mpc")


def test_an_engine_that_disagrees_with_the_cpu_fails_the_self_test():
    class Wrong(Engine):
        def infer(self, *args, **kwargs):
            result = super().infer(*args, **kwargs)
            result.quantised[...] = -result.quantised
            return result

    with pytest.raises(WorkerUnfit, match="cosine"):
        check_engine(Wrong(untrained_weights("v2-nano"), dtype="bf16"), "mpc")


def test_the_known_cube_never_changes():
    assert known_cube().digest() == "3e46148c00f9247cfdc74ffad491105c36eca0f4b8e84600a8b2aae510580457"


def test_cosine_of_equal_and_opposite_pixels():
    values = np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)
    assert cosine(values, values).tolist() == [1.0, 0.0]
    assert cosine(values, -values)[0] == -1.0


def test_every_artifact_name_is_one_that_can_be_published():
    names = TileNames(parse_tile("grid_-0.05_-0.05"), "2024")
    for name in (
        names.embedding,
        names.scales,
        names.digests,
        names.land_mask,
        names.preview,
        names.provenance,
    ):
        assert artifact_names.published("tessera-v1.1-2024-abc", name).endswith(name)
    assert names.embedding == "global_0.1_degree_representation/2024/grid_-0.05_-0.05/grid_-0.05_-0.05.npy"


def test_provenance_names_scenes_without_their_tokens():
    scene = Scene(
        id="S2A",
        collection="sentinel-2-l2a",
        acquired=datetime(2024, 6, 1, 10, 30, tzinfo=UTC),
        assets={band: f"https://x.example/T30/S2A/{band}.tif?sig=secret" for band in ("B02", "B03", "SCL")},
        cloud_percent=3.0,
        orbit="unknown",
        baseline="05.10",
    )
    loss = Loss("S2B", "missing", "B04: https://x.example/B04.tif: HTTP 404 Not Found")
    text = json.dumps(ScenesOfTile(found=2, used=[scene], losses=[loss]).full())
    assert "secret" not in text
    assert json.loads(text) == {
        "found": 2,
        "used": 1,
        "lost": {"missing": 1},
        "from": "catalogue",
        "scenes": [
            {
                "id": "S2A",
                "collection": "sentinel-2-l2a",
                "acquired": "2024-06-01T10:30:00+00:00",
                "baseline": "05.10",
                "href": "https://x.example/T30/S2A/",
            }
        ],
        "losses": [{"scene": "S2B", "cause": "missing", "detail": loss.detail}],
    }


@pytest.mark.parametrize(
    ("hrefs", "common"),
    [
        (["https://x/a/B02.tif", "https://x/a/B03.tif"], "https://x/a/"),
        (["https://x/a1/B02.tif", "https://x/a2/B03.tif"], "https://x/"),
        (["https://x/a/B02.tif"], "https://x/a/"),
        ([], ""),
    ],
)
def test_the_folder_that_files_share(hrefs, common):
    assert common_address(hrefs) == common
