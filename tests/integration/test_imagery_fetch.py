"""`consumer fetch` as a person types it: the real program against a real catalogue, with no storage anywhere."""

import json
import subprocess
import sys

import pytest

from consumer.imagery.cube import Cube
from laptop_cloud import imagery_server, stac
from laptop_cloud.scenes import SceneRecipe, make_year

TILE = "grid_-4.55_54.15"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """A fleet file whose storage does not exist and whose catalogue does."""
    folder = tmp_path_factory.mktemp("fetch")
    recipe = SceneRecipe(
        (-4.6, 54.1, -4.5, 54.2), 2024, spacing_metres=100, sentinel2_dates=6, sentinel1_dates=6
    )
    scenes = make_year(recipe, folder / "scenes", processes=0)
    with (
        imagery_server.running(scenes, folder / "imagery.log") as imagery_url,
        stac.running(scenes, imagery_url, folder / "stac") as stac_url,
    ):
        path = folder / "lonely.toml"
        path.write_text(
            'name = "lonely"\nkind = "azure"\nlocation = "nowhere"\n'
            '[storage]\nqueue_url = "https://q.invalid/a"\nblob_url = "https://b.invalid/a"\n'
            f'container = "c"\n[imagery]\nstac_url = "{stac_url}"\n'
        )
        yield path


def consumer(*words):
    command = [sys.executable, "-m", "consumer", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_tile_comes_into_a_folder_that_opens_as_a_cube(fleet, tmp_path):
    folder = tmp_path / TILE
    done = consumer("fetch", TILE, "--year", 2024, "--resolution", 100, "--output", folder, "--fleet", fleet)
    assert (done.returncode, done.stdout.strip()) == (0, str(folder)), done.stderr
    assert "dates of Sentinel-2" in done.stderr
    cube = Cube.load(folder)
    assert len(cube.doys)
    assert len(cube.sar_ascending_doy) + len(cube.sar_descending_doy)
    history = json.loads((folder / "cube.json").read_text())
    assert history["cube_sha256"] == cube.digest()
    assert history["shape"] == [cube.height, cube.width]
    assert history["scenes"]["lost"] == {}
    assert len(history["scenes"]["scenes"]) == history["scenes"]["used"] > 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("grid_1_2", "--year", 2024), 2, "is no tile"),
        ((TILE, "--year", 1999), 2, "there is no imagery of 1999"),
        ((TILE, "--year", 2024, "--source", "nasa"), 2, "source='nasa' is not one of mpc, aws"),
        ((TILE, "--year", 2024, "--land", "/no/such.fgb"), 2, "no file of land polygons"),
        (("8/1/1", "--year", 2024), 2, "is a web tile"),
        ((TILE, "--year", 2019), 1, "no scene of 2019"),
    ],
)
def test_what_cannot_be_fetched_is_said_in_one_sentence(fleet, tmp_path, words, status, said):
    done = consumer("fetch", *words, "--output", tmp_path / "out", "--fleet", fleet)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
