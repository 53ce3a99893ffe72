"""Reading from a storage that misbehaves on demand: what is lost, what waits, what recovers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from consumer.imagery import answers
from consumer.imagery.losses import FileLost
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.read import SceneReader
from consumer.imagery.search import Stated
from consumer.imagery.sign import ContainerTokens, NoSigning
from consumer.imagery.tally import Tally
from contract.errors import Stopped, TryLater
from tests.unit.consumer.imagery.plain_scenes import GRID, OPTICAL, cog, noise, reference, scene_at

pytestmark = pytest.mark.slow

FULL = PixelGrid(epsg=32630, left=500_000, top=6_000_000, resolution=10, width=600, height=600)


@pytest.fixture
def scene():
    return noise()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(answers, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(answers, "PATIENCE_SECONDS", 0.1)


@pytest.fixture
def reader():
    return SceneReader(NoSigning())


def read_scene(reader, storage, *, grid=GRID, tally=None, **fields):
    scene = scene_at(f"{storage.url}/scene.tif", **fields)
    return reader.read(scene, "B02", grid, OPTICAL, tally or Tally())


def test_a_missing_file_is_lost_after_one_look(reader, storage):
    with pytest.raises(FileLost, match="404") as lost:
        read_scene(reader, storage)
    assert lost.value.cause == "missing"
    assert len(storage.requests) == 1


@pytest.mark.parametrize("failures", [[503], [429, 429], [500, 503, 429], ["cut"], [503, "cut"], [408]])
def test_a_storage_that_recovers_gives_the_same_pixels(reader, storage, scene, failures):
    storage.files["/scene.tif"] = cog(scene)
    storage.failures.extend(failures)
    tally = Tally()
    np.testing.assert_array_equal(read_scene(reader, storage, tally=tally), reference(scene))
    assert sum(tally.refusals.values()) == len(failures)


@pytest.mark.parametrize(
    ("status", "why"), [(429, "throttles"), (500, "fails"), (503, "throttles"), (403, "token")]
)
def test_a_storage_that_keeps_refusing_makes_the_tile_wait_and_loses_nothing(
    reader, storage, scene, status, why
):
    storage.files["/scene.tif"] = cog(scene)
    storage.fails_when = lambda method, target: status
    with pytest.raises(TryLater, match=f"{why}.*HTTP {status}"):
        read_scene(reader, storage)
    assert len(storage.requests) > 3


def test_a_file_that_failed_once_is_looked_at_again_by_the_next_tile(reader, storage, scene):
    storage.fails_when = lambda method, target: 503
    storage.files["/scene.tif"] = cog(scene)
    with pytest.raises(TryLater):
        read_scene(reader, storage)
    storage.fails_when = lambda method, target: None
    np.testing.assert_array_equal(read_scene(reader, storage), reference(scene))


def test_a_host_that_is_gone_makes_the_tile_wait(reader):
    with pytest.raises(TryLater, match="no answer"):
        reader.read(scene_at("http://127.0.0.1:9/scene.tif"), "B02", GRID, OPTICAL, Tally())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("no image at all", "header"),
        ("cut inside its blocks", "cut"),
        ("cut inside its header", "header"),
        ("garbled", "cannot be decoded"),
    ],
)
def test_a_file_that_arrives_and_is_no_raster_is_lost(reader, storage, scene, damage, said):
    whole = cog(scene)
    storage.files["/scene.tif"] = {
        "no image at all": b"<html>not here</html>" * 100,
        "cut inside its blocks": whole[: len(whole) // 2],
        "cut inside its header": whole[:300],
        "garbled": whole[:4096] + bytes(len(whole) - 4096),
    }[damage]
    with pytest.raises(FileLost, match=said) as lost:
        read_scene(reader, storage, grid=FULL)
    assert lost.value.cause == "unreadable"


@pytest.mark.parametrize(
    ("pixels", "nodata", "said"),
    [
        (np.ones((64, 64), dtype=np.float32), 0, "it holds float32, expected uint16"),
        (np.ones((64, 64), dtype=np.int32), 0, "it holds int32"),
    ],
)
def test_numbers_of_another_kind_are_no_band(reader, storage, pixels, nodata, said):
    storage.files["/scene.tif"] = cog(pixels, nodata=nodata)
    with pytest.raises(FileLost, match=said):
        read_scene(reader, storage)


def test_another_value_for_no_data_is_respected(reader, storage, scene):
    scene[100:200] = 65535
    storage.files["/scene.tif"] = cog(scene, nodata=65535)
    pixels = read_scene(reader, storage, grid=FULL)
    assert not pixels[100:200].any()
    np.testing.assert_array_equal(pixels[200:], scene[200:])


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (Stated(32629, None), "EPSG:32630, the catalogue says EPSG:32629"),
        (Stated(32630, (500_100, 6_000_000, 506_100, 5_994_000)), "its corners are 500000"),
        (Stated(None, (500_000, 6_000_000, 506_000, 5_993_000)), "its corners are"),
    ],
)
def test_a_file_that_lies_elsewhere_than_the_catalogue_says_is_lost(reader, storage, scene, stated, said):
    storage.files["/scene.tif"] = cog(scene)
    with pytest.raises(FileLost, match=said) as lost:
        read_scene(reader, storage, stated={"B02": stated})
    assert lost.value.cause == "misplaced"


def test_a_file_where_the_catalogue_says_is_read(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene)
    stated = Stated(32630, (500_000.4, 6_000_000, 506_000, 5_994_000))
    np.testing.assert_array_equal(read_scene(reader, storage, stated={"B02": stated}), reference(scene))


def test_an_address_that_is_not_http_is_never_opened(reader, tmp_path):
    (tmp_path / "secret.tif").write_bytes(cog(np.ones((8, 8), dtype=np.uint16)))
    with pytest.raises(FileLost, match="not an http address"):
        reader.read(scene_at(str(tmp_path / "secret.tif")), "B02", GRID, OPTICAL, Tally())


def test_waiting_for_a_throttled_storage_ends_with_the_stop(reader, storage):
    tally = Tally()
    storage.fails_when = lambda method, target: tally.stop.set() or 429
    with pytest.raises(Stopped):
        read_scene(reader, storage, tally=tally)
    assert len(storage.requests) == 1


def test_an_ended_token_is_replaced_by_a_new_one(storage, scene):
    storage.files["/container/scene.tif"] = cog(scene)
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    storage.files["/token/127/container"] = f'{{"token": "sig=ended", "msft:expiry": "{ends}"}}'.encode()

    def refuse_ended(method, target):
        if "sig=ended" not in target:
            return None
        storage.files["/token/127/container"] = f'{{"token": "sig=fresh", "msft:expiry": "{ends}"}}'.encode()
        return 403

    storage.fails_when = refuse_ended
    signer = ContainerTokens(endpoint=f"{storage.url}/token", storage_domain="127.0.0.1")
    href = f"{storage.url}/container/scene.tif"
    pixels = SceneReader(signer).read(scene_at(href), "B02", GRID, OPTICAL, Tally())
    np.testing.assert_array_equal(pixels, reference(scene))


def test_a_file_replaced_while_it_is_read_is_read_anew(reader, storage, scene):
    storage.files["/scene.tif"] = cog(scene[:, :300])

    def replace_after_the_header(method, target):
        if len(storage.requests) == 2:
            storage.files["/scene.tif"] = cog(scene)

    storage.fails_when = replace_after_the_header
    np.testing.assert_array_equal(read_scene(reader, storage, grid=FULL), scene)


def test_a_storage_without_ranges_serves_small_files_only(reader, storage, scene):
    storage.serves_ranges = False
    storage.files["/scene.tif"] = cog(scene)
    with pytest.raises(FileLost, match="does not answer byte ranges"):
        read_scene(reader, storage)
