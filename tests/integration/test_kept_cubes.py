"""A second model on a real year: no request to catalogue or imagery, and the same bytes as without that help."""

from __future__ import annotations

import json
import urllib.request

import geopandas
import pytest
from shapely.geometry import box

from consumer.exit_codes import ExitCode
from contract import artifact_names, log_lines
from contract.commit import read_commit
from contract.job_store import read_job
from laptop_cloud import imagery_server, stac
from tests.fleet_rig import JOB_LINE, make_rig
from tests.integration.real_year import SOURCE, TILE, YEAR, RealYear

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not SOURCE.exists(), reason="the real pixels are not on this machine"),
]
NOWHERE = "http://127.0.0.1:9"


class Patch:
    """A country of six by six pixels behind a catalogue."""

    def __init__(self, stac_url, imagery_url, boundaries):
        self.stac_url, self.imagery_url, self.boundaries = stac_url, imagery_url, boundaries

    def requests(self) -> int:
        with urllib.request.urlopen(f"{self.imagery_url}/_stats", timeout=10) as answer:
            return json.load(answer)["requests"]


@pytest.fixture(scope="module")
def patch(tmp_path_factory, real_scenes):
    folder = tmp_path_factory.mktemp("real-year")
    year = RealYear()
    left, bottom, right, top = year.bounds
    country = {"NAME": ["Patch"], "CONTINENT": ["Europe"], "ISO_A2_EH": ["QQ"], "ADM0_A3": ["QQQ"]}
    land = box(left + 1, bottom + 1, right - 1, top - 1)
    frame = geopandas.GeoDataFrame(country, geometry=[land], crs=year.epsg).to_crs(4326)
    frame.to_file(folder / "patch.gpkg", driver="GPKG", engine="pyogrio")
    with (
        imagery_server.running(real_scenes, folder / "imagery.log") as imagery_url,
        stac.running(real_scenes, imagery_url, folder / "stac") as stac_url,
    ):
        yield Patch(stac_url, imagery_url, folder / "patch.gpkg")


@pytest.fixture
def rigs(azurite, tmp_path, patch):
    """Two fleets with a container each."""
    fleets = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fleets.append(make_rig(tmp_path / name, azurite.queue_url, azurite.blob_url, stac_url=patch.stac_url))
    yield fleets
    for fleet in fleets:
        fleet.end()


def enqueue(rig, patch, *settings):
    """The jobs, in the order in which they were enqueued."""
    sets = [word for setting in ("coast_margin_metres=0", *settings) for word in ("--set", setting)]
    output = rig.type(
        "producer", "enqueue", "Patch", "--boundaries", str(patch.boundaries), "--year", YEAR, *sets
    )
    return [read_job(rig.store, job) for job in JOB_LINE.findall(output)]


def work(rig, name):
    worker = rig.start_consumer(name, "--until-empty")
    assert worker.wait(240) == ExitCode.DONE, rig.log_of(name)
    return rig.log_of(name)


def result(rig, job):
    """(files by kind but for the provenance, provenance) of the one tile."""
    committed = read_commit(rig.store, job.dataset, TILE, 1)
    assert committed is not None
    assert committed.is_published
    files = {}
    for artifact in committed.record.artifacts:
        data = rig.store.read(artifact_names.published(job.dataset, artifact.name), max_bytes=200_000_000)
        files[artifact.name] = data.data
    (provenance,) = [name for name in files if name.startswith("provenance/")]
    return {name: data for name, data in files.items() if name != provenance}, json.loads(files[provenance])


def move_catalogue(rig, stac_url):
    (path,) = (rig.folder / "fleets").glob("*.toml")
    path.write_text(path.read_text().replace(rig.fleet.stac_url, stac_url))


def cube_blobs(rig):
    """(record, bytes) of the one kept cube."""
    names = list(rig.store.names("cubes/"))
    assert len(names) == 2, names
    return tuple(sorted(names, key=lambda name: not name.endswith("record.json")))


def test_a_second_model_asks_neither_catalogue_nor_imagery_and_a_damaged_cube_harms_nobody(rigs, patch):
    one, two = rigs
    (first,) = enqueue(one, patch, "model=v2-nano", "keep_cubes=2")
    assert log_lines.CUBE_KEPT in work(one, "first")
    _, of_first = result(one, first)
    assert of_first["scenes"]["from"] == "catalogue"

    jobs = enqueue(one, patch, "models=v2-nano,v2-small")
    second = next(job for job in jobs if job.settings["model"] == "v2-small")
    assert (second.settings["keep_cubes"], len(jobs)) == (2, 2)
    before = patch.requests()
    assert before > 1000
    move_catalogue(one, NOWHERE)  # a search would fail, and the tile would never be done
    work(one, "second")
    assert patch.requests() == before
    files, provenance = result(one, second)
    assert provenance["scenes"]["from"] == "kept cube"
    assert provenance["cube_sha256"] == of_first["cube_sha256"]
    assert provenance["scenes"]["scenes"] == of_first["scenes"]["scenes"]
    assert provenance["scenes"]["found"] == of_first["scenes"]["found"] == 292

    # The other fleet has that cube with one bit turned: it reads the imagery, and so tells what is right.
    record, data = cube_blobs(one)
    bytes_of_cube = bytearray(one.store.read(data, max_bytes=200_000_000).data)
    bytes_of_cube[len(bytes_of_cube) // 2] ^= 1
    two.store.put(record, one.store.read(record).data)
    two.store.put(data, bytes(bytes_of_cube))
    (alone,) = enqueue(two, patch, "model=v2-small", "keep_cubes=2")
    assert alone.dataset == second.dataset
    log = work(two, "alone")
    assert log_lines.CUBE_IGNORED in log
    assert "not those of its record" in log
    assert patch.requests() > before
    files_read, provenance_read = result(two, alone)
    assert provenance_read["scenes"]["from"] == "catalogue"
    assert len(files) == 5
    assert files == files_read
    # And the cube that was read took the damaged one's place: the same bytes, under the same name.
    assert cube_blobs(two) == (record, data)
    assert two.store.info(data).md5 == one.store.info(data).md5
    assert json.loads(two.store.read(record).data)["sha256"] in data
