import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from affine import Affine

from contract.errors import BadInput
from laptop_cloud import stac
from laptop_cloud.scenes import Raster, SceneRecipe, land_over, make_year, write_scene

PLACE = (-4.62, 54.18, -4.55, 54.22)
SMALL = SceneRecipe(PLACE, 2024, spacing_metres=100, sentinel2_dates=4, sentinel1_dates=4)


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    return make_year(SMALL, tmp_path_factory.mktemp("scenes"), processes=0)


def items_of(folder):
    return {path.parent.name: json.loads(path.read_text()) for path in folder.rglob("item.json")}


def test_every_item_has_its_files_and_nothing_unfinished_is_left(year):
    items = items_of(year)
    # Four days of each mission; the radar's fourth comes as two frames, 25 s apart.
    assert len({item["properties"]["datetime"] for item in items.values()}) == 4 + 5
    for path in year.rglob("item.json"):
        names = {asset["href"] for asset in json.loads(path.read_text())["assets"].values()}
        assert names == {file.name for file in path.parent.iterdir()} - {"item.json"}


def test_files_are_tiled_and_say_where_they_lie(year):
    for path in year.rglob("item.json"):
        for asset in json.loads(path.read_text())["assets"].values():
            with rasterio.open(path.parent / asset["href"]) as file:
                assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                assert file.profile["tiled"]
                assert list(file.shape) == asset["proj:shape"]
                assert list(file.transform[:6]) == asset["proj:transform"]
                assert file.nodata == (0 if file.dtypes[0] != "float32" else -32768)


def test_a_second_run_makes_nothing_and_an_interrupted_one_goes_on(year, capsys):
    written = {path: path.stat().st_mtime_ns for path in year.rglob("*.tif")}
    lost = next(year.rglob("item.json")).parent
    (lost / "item.json").unlink()
    (lost / "vv.tif.4711.part").write_bytes(b"the beginning of a file")
    assert make_year(SMALL, year.parent, processes=0) == year
    assert "drawing 1 synthetic scenes, once" in capsys.readouterr().err  # where no bar is seen
    again = {path: path.stat().st_mtime_ns for path in year.rglob("*.tif")}
    assert {path.parent for path in written if written[path] != again[path]} == {lost}
    assert not list(year.rglob("*.part"))


@pytest.mark.slow
def test_a_killed_maker_leaves_no_worker_behind(tmp_path):
    code = (
        "from pathlib import Path\n"
        "from laptop_cloud.scenes import SceneRecipe, make_year\n"
        "if __name__ == '__main__':\n"
        f"    make_year(SceneRecipe({PLACE}, 2024, spacing_metres=20), Path('scenes'), processes=2)\n"
    )
    (tmp_path / "maker.py").write_text(code)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "maker.py"], cwd=tmp_path, env=environ, stderr=subprocess.DEVNULL
    ) as maker:
        wait_for(lambda: any(tmp_path.rglob("item.json")))
        workers = psutil.Process(maker.pid).children(recursive=True)
        maker.kill()
    assert len(workers) >= 2
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def wait_for(condition, limit_seconds=60):
    deadline = time.monotonic() + limit_seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_as_one(year, tmp_path):
    other = make_year(SMALL, tmp_path, processes=2)
    for path in year.rglob("*.tif"):
        assert path.read_bytes() == (other / path.relative_to(year)).read_bytes()


def test_a_smaller_box_with_the_same_anchor_has_the_same_pixels(year, tmp_path):
    inner = SceneRecipe(
        (-4.60, 54.19, -4.57, 54.21),
        2024,
        spacing_metres=100,
        sentinel2_dates=4,
        sentinel1_dates=4,
        anchor=SMALL.place,
    )
    part = make_year(inner, tmp_path, processes=0)
    assert part.name != year.name
    for path in part.rglob("*.tif"):
        with rasterio.open(path) as small, rasterio.open(year / path.relative_to(part)) as large:
            window = large.window(*small.bounds).round_offsets().round_lengths()
            assert np.array_equal(small.read(1), large.read(1, window=window)), path.name


def test_the_hash_changes_with_the_land_and_the_seed():
    other_land = SceneRecipe(PLACE, 2024, land_wkb=shapely.to_wkb(shapely.box(*PLACE)))
    assert len({SceneRecipe(PLACE, 2024, seed=seed).digest for seed in (1, 2)} | {other_land.digest}) == 3


@pytest.mark.parametrize("bbox", [(5, 50, 4, 51), (4, 51, 5, 50), (4, 85, 5, 86), (179, 0, 181, 1)])
def test_a_box_that_is_none_is_refused(bbox):
    with pytest.raises(BadInput, match="is no box of west, south, east, north"):
        SceneRecipe(bbox, 2024)


def test_too_many_pixels_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(BadInput, match="take a smaller box or a spacing above 10 m"):
        make_year(SceneRecipe((-5, 53, -3, 55), 2024), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_given_pixels_come_back_from_their_file_as_they_were(tmp_path):
    pixels = np.arange(36, dtype=np.uint16).reshape(6, 6)
    folder = write_scene(
        tmp_path,
        scene_id="patch-20200602",
        collection="sentinel-2-l2a",
        when=datetime(2020, 6, 2, 10, 30, tzinfo=UTC),
        epsg=25832,
        assets={"B04": Raster(pixels, Affine(10, 0, 565_000.5, 0, -10, 5_771_000.25))},
        properties={"s2:processing_baseline": "02.14"},
    )
    with rasterio.open(folder / "B04.tif") as file:
        assert np.array_equal(file.read(1), pixels)
        assert file.crs.to_epsg() == 25832
        assert (file.bounds.left, file.bounds.top) == (565_000.5, 5_771_000.25)
    item = items_of(tmp_path)["patch-20200602"]
    assert item["properties"]["datetime"] == "2020-06-02T10:30:00.000000Z"
    assert shapely.box(*item["bbox"]).covers(shapely.geometry.shape(item["geometry"]))
    assert item["bbox"][0] == pytest.approx(9.95, abs=0.05)


def test_land_is_cut_out_of_the_boundaries_around_the_box(tmp_path):
    near, far = shapely.box(-5, 54, -4.6, 55), shapely.box(100, 10, 101, 11)
    table = pa.table({"name": ["near", "far"], "outline": shapely.to_wkb([near, far])})
    about = json.dumps({"version": "1.1.0", "primary_column": "outline", "columns": {}})
    pq.write_table(table.replace_schema_metadata({"geo": about}), tmp_path / "land.parquet")
    land = shapely.from_wkb(land_over(PLACE, tmp_path / "land.parquet"))
    assert land.equals(shapely.box(-5, 54, -4.6, 54.72))


def test_a_catalogue_points_at_the_server_that_has_the_files(year, tmp_path):
    paths = stac.write_catalogue(year, "http://127.0.0.1:1", tmp_path)
    assert sorted(path.name for path in paths) == ["items.json", "sentinel-1-rtc.json", "sentinel-2-l2a.json"]
    features = json.loads((tmp_path / "items.json").read_text())["features"]
    for feature in features:
        for name, asset in feature["assets"].items():
            place = f"{feature['collection']}/{feature['id']}/{name}.tif"
            assert asset["href"] == f"http://127.0.0.1:1/{place}"
            assert (year / place).exists()


def test_a_folder_without_scenes_is_refused(tmp_path):
    with pytest.raises(BadInput, match="there are no scenes below"):
        stac.write_catalogue(tmp_path, "http://127.0.0.1:1", tmp_path / "stac")
