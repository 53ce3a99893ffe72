"""Reading from a storage that misbehaves on demand: what is lost, what waits, what recovers."""

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from consumer.imagery import read, warp
from consumer.imagery.losses import FileLost
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.read import SceneReader, Verdict, judge, pause_seconds
from consumer.imagery.sign import ContainerTokens, NoSigning
from contract.errors import Stopped, TryLater
from tests.unit.consumer.imagery.plain_scenes import GRID, OPTICAL, cog, noise, reference


@pytest.fixture
def scene():
    return noise()


@pytest.fixture
def reader(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setitem(warp.GDAL_OPTIONS, "GDAL_HTTP_RETRY_DELAY", 0.001)
    return SceneReader(NoSigning(), tmp_path)


def read_scene(reader, storage, grid=GRID, stop=None):
    return reader.read(f"{storage.url}/scene.tif", grid, OPTICAL, stop or threading.Event())


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
        read_scene(SceneReader(NoSigning(), tmp_path), storage, stop=stop)


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
