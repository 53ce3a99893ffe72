"""A storage on its bad days gives the same cube as on a good one, or none: never one with gaps."""

import json
import os
import shutil
import urllib.request

import numpy as np
import pytest

from consumer.imagery import answers
from consumer.imagery.cube import Cube
from consumer.imagery.sign import ContainerTokens
from consumer.recipes.tessera.download import Imagery
from consumer.recipes.tessera.settings import TesseraSettings
from contract.errors import TryLater
from contract.tile_id import parse_tile
from laptop_cloud import imagery_server, stac
from laptop_cloud.imagery_faults import TOKEN_PATH, Faults
from laptop_cloud.scenes import SceneRecipe, make_year

TILE = parse_tile("grid_-4.55_54.15")
YEAR = 2024
SETTINGS = TesseraSettings.of({"resolution": 50.0, "download_threads": 16})
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    recipe = SceneRecipe(
        (-4.62, 54.08, -4.48, 54.22), YEAR, spacing_metres=50, sentinel2_dates=12, sentinel1_dates=10
    )
    return make_year(recipe, tmp_path_factory.mktemp("year") / "scenes", processes=0)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(answers, "FIRST_PAUSE_SECONDS", 0.02)


def load(scenes, folder, faults):
    """(what was downloaded, what the server counted)"""
    with (
        imagery_server.running(scenes, folder / "imagery.log", faults=faults) as url,
        stac.running(scenes, url, folder / "stac") as stac_url,
    ):
        signer = ContainerTokens(endpoint=url + TOKEN_PATH, storage_domain="127.0.0.1")
        imagery = Imagery(
            stac_url, SETTINGS, folder / "pace", signer=signer if faults.token_seconds else None
        )
        plan = imagery.plan(TILE, YEAR, land=None)
        downloaded = imagery.download(plan, lambda share: None)
        with urllib.request.urlopen(url + imagery_server.STATS_PATH) as answer:
            return downloaded, json.load(answer)


@pytest.fixture(scope="module")
def undisturbed(scenes, tmp_path_factory):
    return load(scenes, tmp_path_factory.mktemp("good"), Faults())


def test_a_good_day_asks_for_ranges_only_and_repeats_nothing(undisturbed):
    downloaded, counts = undisturbed
    assert len(downloaded.cube.doys) >= 3
    assert len(downloaded.cube.sar_ascending_doy) + len(downloaded.cube.sar_descending_doy) >= 3
    assert downloaded.refusals == {}
    assert (counts["heads"], counts["whole_files"], counts["failures"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(throttle_percent=20, cut_percent=5, late_ms=30, token_seconds=1, seed=11),
        Faults(throttle_percent=40, retry_after_seconds=0.01, seed=12),
        Faults(cut_percent=30, late_ms=5, seed=13),
        Faults(token_seconds=0.8, seed=14),
    ],
    ids=["all at once", "throttled", "cut", "tokens that end at once"],
)
def test_the_same_bytes_on_a_bad_day(scenes, undisturbed, tmp_path, faults):
    downloaded, _ = load(scenes, tmp_path, faults)
    if faults.throttle_percent or faults.cut_percent:
        assert sum(downloaded.refusals.values()) > 10
    assert downloaded.losses == []
    assert downloaded.cube.digest() == undisturbed[0].cube.digest()
    assert [scene.id for scene in downloaded.used] == [scene.id for scene in undisturbed[0].used]


def test_a_storage_that_answers_nobody_gives_no_cube_at_all(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(TryLater, match="throttles us"):
        load(scenes, tmp_path, Faults(throttle_percent=100, seed=15))


def test_missing_files_are_counted_and_too_many_make_the_tile_wait(scenes, undisturbed, tmp_path):
    thinner = shutil.copytree(scenes, tmp_path / "scenes", copy_function=os.link)
    used = [scene for scene in undisturbed[0].used if scene.collection == "sentinel-2-l2a"]
    first = used[0]
    second = next(scene for scene in used if scene.date != first.date)
    for scene in (first, second):
        next(thinner.rglob(f"{scene.id}/B8A.tif")).unlink()
    with pytest.raises(TryLater, match=rf"2 of \d+ scenes.*{first.id} missing \(B8A.*404"):
        load(thinner, tmp_path, Faults())


def test_a_cube_that_was_saved_opens_again(undisturbed, tmp_path):
    cube = undisturbed[0].cube
    cube.save(tmp_path)
    again = Cube.load(tmp_path)
    assert again.digest() == cube.digest()
    assert np.count_nonzero(again.masks)
