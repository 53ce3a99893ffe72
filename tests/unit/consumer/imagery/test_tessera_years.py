"""A year from scenes to arrays: which days come in, what a lost file costs, who wins a pixel."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
from affine import Affine
from rasterio.io import MemoryFile

from consumer.imagery import answers
from consumer.imagery.cube import OPTICAL_CHANNELS
from consumer.imagery.losses import Loss, count_by_cause, refuse_if_too_many
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.read import SceneReader
from consumer.imagery.search import Scene
from consumer.imagery.sign import NoSigning
from consumer.imagery.tile_reads import TileReads
from consumer.recipes.tessera import optical_year, radar_year
from consumer.recipes.tessera.optical_year import READS_PER_DAY, OpticalReading
from consumer.recipes.tessera.radar_year import RadarReading
from consumer.recipes.tessera.series import day_of_year, keep_in_place
from contract.errors import Stopped, TryLater

pytestmark = pytest.mark.slow

SIZE = 8
GRID = PixelGrid(epsg=32630, left=500_000, top=6_000_000, resolution=10, width=SIZE, height=SIZE)
LAND = np.ones((SIZE, SIZE), dtype=bool)
LAND[0] = False
CLEAR, CLOUD = 4, 9


@pytest.fixture
def reads(monkeypatch):
    monkeypatch.setattr(answers, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(answers, "PATIENCE_SECONDS", 0.01)
    return TileReads(SceneReader(NoSigning()), GRID, threads=3)


@pytest.fixture
def put(storage):
    """Store a scene of constant or given pixels per band and return it as the catalogue would."""

    def put(name, when, bands, *, orbit="unknown", cloud=10.0):
        for band, pixels in bands.items():
            storage.files[f"/{name}/{band}.tif"] = tiff(np.broadcast_to(pixels, (SIZE, SIZE)))
        return Scene(
            id=name,
            collection="any",
            acquired=datetime.fromisoformat(when).replace(tzinfo=UTC),
            assets={band: f"{storage.url}/{name}/{band}.tif" for band in bands},
            cloud_percent=cloud,
            orbit=orbit,
            baseline=None,
        )

    return put


def tiff(pixels):
    dtype, nodata = ("float32", -32768) if pixels.dtype.kind == "f" else ("uint16", 0)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=SIZE,
            height=SIZE,
            count=1,
            dtype=dtype,
            crs="EPSG:32630",
            transform=Affine(10, 0, 500_000, 0, -10, 6_000_000),
            nodata=nodata,
        ) as file:
            file.write(pixels.astype(dtype), 1)
        return BytesIO(memory.read()).getvalue()


def optical(value, classes=CLEAR):
    channels = {channel: np.uint16(value + number) for number, channel in enumerate(OPTICAL_CHANNELS)}
    return {**channels, "SCL": np.asarray(classes, dtype=np.uint16)}


def read_optical(reads, scenes, advance=lambda steps: None, source="mpc"):
    reading = OpticalReading(reads, LAND, source, min_coverage_percent=0.01)
    return reading.read_year(scenes, advance)


def read_radar(reads, scenes, source="mpc", advance=lambda steps: None):
    return RadarReading(reads, LAND, source, min_coverage_percent=20).read_year(scenes, advance)


def test_a_day_becomes_ten_bands_in_the_networks_order_with_nothing_off_land(reads, put):
    year = read_optical(reads, [put("a", "2024-03-01T10:00", optical(3000))])
    assert year.doys.tolist() == [61]
    assert year.bands[0, 4, 4].tolist() == [2000 + number for number in range(10)]  # the offset is gone
    assert year.masks[0].tolist() == LAND.astype(int).tolist()
    assert not year.bands[0, 0].any()


def test_the_first_clear_scene_of_the_day_wins_each_pixel(reads, put):
    half = np.full((SIZE, SIZE), CLEAR)
    half[:, 4:] = CLOUD
    scenes = [
        put("a", "2020-03-01T10:00:00", optical(1000, half)),
        put("b", "2020-03-01T10:00:09", optical(2000)),
    ]
    year = read_optical(reads, scenes)
    assert year.bands[0, 4, :, 0].tolist() == [1000] * 4 + [2000] * 4
    assert [scene.id for scene in year.used] == ["a", "b"]


def test_scenes_of_a_day_are_not_asked_about_once_all_land_is_seen(reads, put, storage):
    scenes = [
        put("clear", "2020-03-01T10:00:00", optical(1000)),
        put("same", "2020-03-01T10:00:09", optical(2000)),
    ]
    year = read_optical(reads, scenes)
    assert [scene.id for scene in year.used] == ["clear"]
    assert not any(path.startswith("/same/") for _, path, _ in storage.requests)


def test_cloudy_days_are_left_out_and_their_bands_never_read(reads, put, storage):
    scenes = [
        put("clear", "2020-03-01T10:00", optical(1000)),
        put("cloudy", "2020-03-02T10:00", optical(5000, CLOUD)),
        put("later", "2020-03-03T10:00", optical(2000)),
    ]
    steps = []
    year = read_optical(reads, scenes, steps.append)
    assert year.doys.tolist() == [61, 63]
    assert year.bands[:, 4, 4, 0].tolist() == [1000, 2000]
    assert not any(path.startswith("/cloudy/B") for _, path, _ in storage.requests)
    assert sum(steps) == 3 * READS_PER_DAY


def test_a_lost_band_costs_its_day_and_is_noted(reads, put, storage):
    scenes = [
        put(name, f"2020-03-0{day}T10:00", optical(day * 1000)) for day, name in enumerate("abc", start=1)
    ]
    del storage.files["/b/B8A.tif"]
    year = read_optical(reads, scenes)
    assert year.doys.tolist() == [61, 63]
    assert year.bands[:, 4, 4, 0].tolist() == [1000, 3000]
    assert year.masks.shape[0] == 2
    assert [(loss.scene, loss.cause) for loss in reads.losses] == [("b", "missing")]


def test_a_lost_classification_leaves_the_day_to_its_other_scenes(reads, put, storage):
    scenes = [put("a", "2020-03-01T10:00", optical(1000)), put("b", "2020-03-01T10:01", optical(2000))]
    del storage.files["/a/SCL.tif"]
    year = read_optical(reads, scenes)
    assert year.bands[0, 4, 4, 0] == 2000
    assert [scene.id for scene in year.used] == ["b"]


def test_a_throttled_storage_ends_the_tile_instead_of_thinning_it(reads, put, storage):
    scenes = [put(name, f"2020-03-0{day}T10:00", optical(1000)) for day, name in enumerate("abc", start=1)]
    storage.fails_when = lambda method, target: 429 if target.startswith("/b/B05") else None
    with pytest.raises(TryLater, match="429"):
        read_optical(reads, scenes)
    assert reads.losses == []


def test_a_stop_raised_by_progress_ends_the_reads(reads, put):
    def leave(steps):
        raise Stopped("the worker was asked to leave")

    with pytest.raises(Stopped):
        read_optical(reads, [put("a", "2020-03-01T10:00", optical(1000))], leave)


def test_scenes_too_cloudy_or_incomplete_are_not_asked_for(put):
    whole = put("a", "2020-03-01T10:00", optical(1000), cloud=99.9)
    overcast = put("b", "2020-03-01T10:00", optical(1000), cloud=100.0)
    unstated = put("c", "2020-03-01T10:00", optical(1000), cloud=None)
    partial = put("d", "2020-03-01T10:00", {"SCL": np.uint16(CLEAR)})
    found = optical_year.usable_scenes([whole, overcast, unstated, partial], max_cloud=100)
    assert [scene.id for scene in found] == ["a", "c"]
    assert optical_year.left_out([whole, overcast, unstated, partial], max_cloud=100) == {
        "Sentinel-2 too cloudy": 1,
        "Sentinel-2 without all bands": 1,
    }


def test_radar_of_one_pass_is_joined_and_put_in_order(reads, put):
    left = np.full((SIZE, SIZE), -32768.0)
    left[:, :5] = 1.0
    scenes = [
        put("a", "2020-01-05T06:00:00", {"VV": left, "VH": left}),
        put("b", "2020-01-05T06:00:25", {"VV": np.float64(10.0), "VH": np.float64(10.0)}),
        put("c", "2020-02-05T06:00:00", {"VV": np.float64(1.0), "VH": np.float64(np.nan)}),
    ]
    year = read_radar(reads, scenes)
    assert year.doys.tolist() == [5, 36]
    assert year.images[0, 3, :, 0].tolist() == [10000] * 5 + [14000] * 3
    assert year.images[1, 3, 3].tolist() == [10000, 0]
    assert not year.images[:, 0].any()
    assert [scene.id for scene in year.used] == ["a", "b", "c"]


def test_a_radar_scene_that_sees_too_little_land_or_lost_a_file_is_left_out(reads, put, storage):
    sliver = np.full((SIZE, SIZE), -32768.0)
    sliver[:, 0] = 1.0
    scenes = [
        put("sliver", "2020-01-05T06:00", {"VV": sliver, "VH": sliver}),
        put("lost", "2020-01-06T06:00", {"VV": np.float64(1.0), "VH": np.float64(1.0)}),
        put("good", "2020-01-07T06:00", {"VV": np.float64(1.0), "VH": np.float64(1.0)}),
    ]
    del storage.files["/lost/VH.tif"]
    year = read_radar(reads, scenes)
    assert year.doys.tolist() == [7]
    assert year.images.shape == (1, SIZE, SIZE, 2)
    assert (year.images[0, 1:] == 10000).all()
    assert [loss.scene for loss in reads.losses] == ["lost"]


def test_radar_scenes_are_taken_by_direction_and_need_both_channels(put):
    both = {"VV": np.float64(1.0), "VH": np.float64(1.0)}
    scenes = [
        put("up", "2020-01-05T18:00", both, orbit="ascending"),
        put("down", "2020-01-05T06:00", both, orbit="descending"),
        put("unknown", "2020-01-05T06:00", both),
        put("one", "2020-01-05T18:00", {"VV": np.float64(1.0)}, orbit="ascending"),
    ]
    assert [scene.id for scene in radar_year.usable_scenes(scenes, "ascending")] == ["up"]
    assert [scene.id for scene in radar_year.usable_scenes(scenes, "descending")] == ["down"]


def test_scenes_over_ice_with_other_polarisations_are_counted_as_such(put):
    ice = replace(put("ice", "2020-01-05T18:00", {}, orbit="ascending"), polarisations=("HH", "HV"))
    half = put("half", "2020-01-05T18:00", {"VV": np.float64(1.0)}, orbit="ascending")
    both = {"VV": np.float64(1.0), "VH": np.float64(1.0)}
    scenes = [
        ice,
        ice,
        half,
        put("lost", "2020-01-05T06:00", both),
        put("up", "2020-01-05", both, orbit="ascending"),
    ]
    assert radar_year.left_out(scenes) == {
        "Sentinel-1 HH/HV only": 2,
        "Sentinel-1 of unknown orbit": 1,
        "Sentinel-1 without VV and VH": 1,
    }


def test_no_scenes_at_all_give_empty_arrays_of_the_right_shape(reads):
    assert read_optical(reads, []).bands.shape == (0, SIZE, SIZE, 10)
    assert read_radar(reads, []).images.shape == (0, SIZE, SIZE, 2)


@pytest.mark.parametrize(
    ("lost", "of", "refused"), [(0, 0, False), (1, 100, False), (2, 199, True), (1, 99, True)]
)
def test_more_than_one_percent_of_lost_scenes_is_a_source_in_trouble(lost, of, refused):
    losses = [Loss(f"s{number}", "missing", "B02: 404") for number in range(lost) for _ in range(3)]
    if refused:
        with pytest.raises(TryLater, match=f"{lost} of {of} scenes.*s0 missing"):
            refuse_if_too_many(losses, of, 1.0)
    else:
        refuse_if_too_many(losses, of, 1.0)
    assert sum(count_by_cause(losses).values()) == lost


def test_days_that_came_to_nothing_are_squeezed_out_without_a_copy():
    series = np.arange(5) * np.ones((3, 5), dtype=int)
    series = np.ascontiguousarray(series.T)
    kept = keep_in_place(series, np.array([False, True, False, True, True]))
    assert kept[:, 0].tolist() == [1, 3, 4]
    assert np.shares_memory(kept, series)
    assert [day_of_year(day) for day in ("2023-12-31", "2024-12-31", "2024-03-01")] == [365, 366, 61]
