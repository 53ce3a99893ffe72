"""Reading through GDAL from a storage that misbehaves on demand."""

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.warp import reproject

from consumer.imagery import read, warp
from consumer.imagery.losses import FileLost
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.read import SceneReader, Verdict, judge, pause_seconds
from consumer.imagery.sign import ContainerTokens, NoSigning
from consumer.imagery.warp import Layer, fitting_overview, read_on_grid
from contract.errors import Stopped, TryLater

OPTICAL = Layer("uint16", nodata=0, is_bilinear=True)
CLASSES = Layer("uint8", nodata=0, is_bilinear=False)
SCENE_TRANSFORM = Affine(10, 0, 500_000, 0, -10, 6_000_000)
GRID = PixelGrid(epsg=32630, left=500_333.3, top=5_999_444.4, resolution=10, width=60, height=50)


def cog(pixels, *, nodata=0, epsg=32630, transform=SCENE_TRANSFORM):
    with MemoryFile() as memory:
        with memory.open(
            driver="COG",
            width=pixels.shape[1],
            height=pixels.shape[0],
            count=1,
            dtype=pixels.dtype,
            crs=f"EPSG:{epsg}",
            transform=transform,
            nodata=nodata,
            compress="deflate",
            blocksize=128,
        ) as file:
            file.write(pixels, 1)
        return memory.read()


@pytest.fixture
def scene():
    return np.random.default_rng(7).integers(1, 9000, (600, 600)).astype(np.uint16)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setitem(warp.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", 0.001)
    return SceneReader(NoSigning(), tmp_path)


def read_scene(reader, storage, layer=OPTICAL, grid=GRID):
    return reader.read(f"{storage.url}/scene.tif", grid, layer, threading.Event())


def reference(pixels, layer=OPTICAL, grid=GRID, epsg=32630, transform=SCENE_TRANSFORM):
    expected = np.full(grid.shape, layer.nodata, dtype=layer.dtype)
    reproject(
        pixels,
        expected,
        src_transform=transform,
        src_crs=f"EPSG:{epsg}",
        src_nodata=layer.nodata,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        dst_nodata=layer.nodata,
        resampling=Resampling.bilinear if layer.is_bilinear else Resampling.nearest,
    )
    return expected


@pytest.mark.parametrize("layer", [OPTICAL, CLASSES])
def test_pixels_equal_a_plain_reprojection_of_the_whole_scene(reader, storage, scene, layer):
    pixels = scene.astype(layer.dtype)
    storage.files["/scene.tif"] = cog(pixels)
    np.testing.assert_array_equal(read_scene(reader, storage, layer), reference(pixels, layer))


def test_a_window_of_the_grid_reads_the_same_pixels_as_the_whole(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    rows, columns = slice(13, 31), slice(7, 58)
    whole = read_scene(reader, storage)
    np.testing.assert_array_equal(
        read_scene(reader, storage, grid=GRID.crop(rows, columns)), whole[rows, columns]
    )


def test_a_scene_of_the_neighbouring_zone_lands_on_the_grid(reader, storage):
    smooth = np.add.outer(np.arange(900), np.arange(900)).astype(np.uint16) + 1000
    left, _, _, top = rasterio.warp.transform_bounds("EPSG:32630", "EPSG:32629", *GRID.bounds)
    transform = Affine(10, 0, left - 3000, 0, -10, top + 3000)
    storage.files["/scene.tif"] = cog(smooth, epsg=32629, transform=transform)
    found = read_scene(reader, storage).astype(int)
    expected = reference(smooth, epsg=32629, transform=transform).astype(int)
    assert (found > 0).all()
    assert np.abs(found - expected).max() <= 1  # GDAL may approximate by an eighth of a pixel


def test_only_ranges_are_fetched(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    read_scene(reader, storage)
    gets = [asked for method, _, asked in storage.requests if method == "GET"]
    assert gets
    assert None not in gets
    assert len(storage.requests) <= 5


def test_what_the_scene_does_not_cover_is_no_data(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    grid = PixelGrid(epsg=32630, left=499_800.0, top=6_000_200.0, resolution=10, width=40, height=40)
    pixels = read_scene(reader, storage, grid=grid)
    assert (pixels[:20, :] == 0).all()
    assert (pixels[:, :20] == 0).all()
    assert (pixels[20:, 20:] == scene[:20, :20]).all()


def test_no_data_pixels_do_not_darken_their_neighbours(reader, storage):
    pixels = np.full((600, 600), 5000, dtype=np.uint16)
    pixels[:, ::3] = 0
    storage.files["/scene.tif"] = cog(pixels, nodata=None)
    assert set(np.unique(read_scene(reader, storage))) <= {0, 5000}


def test_a_coarse_grid_is_read_from_an_overview(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    coarse = PixelGrid(epsg=32630, left=500_000, top=6_000_000, resolution=40, width=150, height=150)
    read_scene(reader, storage, grid=coarse)
    fetched = sum(
        int(asked.partition("-")[2]) - int(asked.removeprefix("bytes=").partition("-")[0]) + 1
        for method, _, asked in storage.requests
        if asked
    )
    assert fetched < len(storage.files["/scene.tif"]) / 4


@pytest.mark.parametrize(
    ("native", "factors", "wanted", "index"),
    [
        (10, [2, 4, 8], 10, None),
        (10, [2, 4, 8], 19.9, None),
        (10, [2, 4, 8], 20, 0),
        (10, [2, 4, 8], 79, 1),
        (10, [2, 4, 8], 500, 2),
        (20, [], 500, None),
        (None, [2, 4], 500, None),
    ],
)
def test_the_coarsest_overview_that_is_fine_enough(native, factors, wanted, index):
    assert fitting_overview(native, factors, wanted) == index


def test_a_missing_file_is_lost_after_one_look(reader, storage):
    with pytest.raises(FileLost, match="404") as lost:
        read_scene(reader, storage)
    assert lost.value.cause == "missing"
    assert len(storage.requests) == 2


@pytest.mark.parametrize("failures", [[503], [429, 429], [500, 503, 429], ["cut"], [503, "cut"]])
def test_a_storage_that_recovers_gives_the_same_pixels(reader, storage, scene, failures):
    storage.files["/scene.tif"] = cog(scene)
    storage.failures.extend(failures)
    np.testing.assert_array_equal(read_scene(reader, storage), reference(scene))


@pytest.mark.parametrize("status", [429, 500, 503, 403])
def test_a_storage_that_keeps_refusing_makes_the_tile_wait_and_loses_nothing(reader, storage, scene, status):
    storage.files["/scene.tif"] = cog(scene)
    storage.fails_when = lambda method, target: status
    with pytest.raises(TryLater, match=str(status)):
        read_scene(reader, storage)


def test_a_file_that_failed_once_is_looked_at_again_by_the_next_tile(reader, storage, scene):
    storage.fails_when = lambda method, target: 503
    storage.files["/scene.tif"] = cog(scene)
    with pytest.raises(TryLater):
        read_scene(reader, storage)
    storage.fails_when = lambda method, target: None
    np.testing.assert_array_equal(read_scene(reader, storage), reference(scene))


def test_a_host_that_is_gone_makes_the_tile_wait(reader):
    with pytest.raises(TryLater, match="no answer"):
        reader.read("http://127.0.0.1:9/scene.tif", GRID, OPTICAL, threading.Event())


@pytest.mark.parametrize("damage", ["no image at all", "truncated", "garbled"])
def test_a_file_that_arrives_whole_and_cannot_be_decoded_is_lost(reader, storage, scene, damage):
    whole = cog(scene)
    broken = {
        "no image at all": b"<html>not here</html>" * 100,
        "truncated": whole[: len(whole) // 2],
        "garbled": whole[:4096] + bytes(len(whole) - 4096),
    }
    storage.files["/scene.tif"] = broken[damage]
    full = PixelGrid(epsg=32630, left=500_000, top=6_000_000, resolution=10, width=600, height=600)
    with pytest.raises(FileLost) as lost:
        read_scene(reader, storage, grid=full)
    assert lost.value.cause == "unreadable"


def test_ranges_that_always_break_off_are_replaced_by_the_whole_file(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    storage.fails_when = lambda method, target: 503 if storage.requests[-1][2] else None
    np.testing.assert_array_equal(read_scene(reader, storage), reference(scene))
    assert storage.requests[-1][2] is None


def test_an_address_that_is_not_http_is_never_opened(reader, tmp_path):
    (tmp_path / "secret.tif").write_bytes(cog(np.ones((8, 8), dtype=np.uint16)))
    with pytest.raises(FileLost, match="not an http address"):
        reader.read(str(tmp_path / "secret.tif"), GRID, OPTICAL, threading.Event())


def test_waiting_for_a_throttled_storage_ends_with_the_stop(storage, tmp_path):
    stop = threading.Event()
    stop.set()
    storage.fails_when = lambda method, target: 429
    with pytest.raises(Stopped):
        read_scene_with(SceneReader(NoSigning(), tmp_path), storage, stop)


def read_scene_with(reader, storage, stop):
    return reader.read(f"{storage.url}/scene.tif", GRID, OPTICAL, stop)


def test_an_ended_token_is_replaced_by_a_new_one(storage, scene, tmp_path, monkeypatch):
    monkeypatch.setattr(read, "FIRST_PAUSE_SECONDS", 0.001)
    storage.files["/container/scene.tif"] = cog(scene)
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    token = iter(["sig=ended", "sig=fresh"])
    storage.files["/token/127/container"] = f'{{"token": "{next(token)}", "msft:expiry": "{ends}"}}'.encode()

    def refuse_ended(method, target):
        if "sig=ended" not in target:
            return None
        storage.files["/token/127/container"] = f'{{"token": "sig=fresh", "msft:expiry": "{ends}"}}'.encode()
        return 403

    storage.fails_when = refuse_ended
    signer = ContainerTokens(endpoint=f"{storage.url}/token", storage_domain="127.0.0.1")
    reader = SceneReader(signer, tmp_path)
    pixels = reader.read(f"{storage.url}/container/scene.tif", GRID, OPTICAL, threading.Event())
    np.testing.assert_array_equal(pixels, reference(scene))


def test_verdicts():
    assert judge(200) is judge(206) is Verdict.READABLE
    assert judge(404) is judge(410) is Verdict.MISSING
    assert judge(401) is judge(403) is Verdict.REFUSED
    assert {judge(status) for status in (None, 408, 409, 429, 500, 502, 503, 504)} == {Verdict.BUSY}


def test_pauses_double_and_are_spread():
    assert [pause_seconds(attempt, 1.0) for attempt in range(3)] == [0.5, 1.0, 2.0]
    assert [pause_seconds(attempt, 0.0) for attempt in range(3)] == [0.25, 0.5, 1.0]


def test_a_local_file_reads_like_a_remote_one(tmp_path, scene):
    (tmp_path / "scene.tif").write_bytes(cog(scene))
    np.testing.assert_array_equal(read_on_grid(str(tmp_path / "scene.tif"), GRID, OPTICAL), reference(scene))
