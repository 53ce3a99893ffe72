"""The real year of one forest patch through the real programs, and two workers who disagree on weights."""

from __future__ import annotations

import io
import json

import geopandas
import numpy as np
import pytest
import torch
from shapely.geometry import box

from consumer.exit_codes import ExitCode
from consumer.recipes.tessera.untrained import untrained_weights
from contract import artifact_names
from contract.commit import read_commit
from contract.job_store import read_dataset, read_job
from laptop_cloud import imagery_server, stac
from tests.fleet_rig import make_rig
from tests.integration.real_year import SOURCE, TILE, YEAR, RealYear

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SOURCE.exists(), reason="the real pixels are not on this machine"),
]


@pytest.fixture(scope="module")
def patch(tmp_path_factory, real_scenes):
    """(STAC URL, boundaries file) of a country that is six by six pixels large."""
    folder = tmp_path_factory.mktemp("real-year")
    year = RealYear()
    left, bottom, right, top = year.bounds
    land = box(left + 1, bottom + 1, right - 1, top - 1)
    country = {"NAME": ["Patch"], "CONTINENT": ["Europe"], "ISO_A2_EH": ["QQ"], "ADM0_A3": ["QQQ"]}
    frame = geopandas.GeoDataFrame(country, geometry=[land], crs=year.epsg).to_crs(4326)
    frame.to_file(folder / "patch.gpkg", driver="GPKG", engine="pyogrio")
    with (
        imagery_server.running(real_scenes, folder / "imagery.log") as imagery_url,
        stac.running(real_scenes, imagery_url, folder / "stac") as stac_url,
    ):
        yield stac_url, folder / "patch.gpkg"


@pytest.fixture
def rig(azurite, tmp_path, patch):
    fleet = make_rig(tmp_path, azurite.queue_url, azurite.blob_url, stac_url=patch[0])
    yield fleet
    fleet.end()


def enqueue(rig, boundaries, *sets):
    settings = [
        word for setting in ("model=v2-nano", "coast_margin_metres=0", *sets) for word in ("--set", setting)
    ]
    rig.type("producer", "enqueue", "Patch", "--boundaries", str(boundaries), "--year", YEAR, *settings)
    (record,) = [name for name in rig.store.names("jobs/") if name.endswith("job.json")]
    return read_job(rig.store, record.split("/")[1])


def array(rig, job, name):
    path = artifact_names.published(job.dataset, f"global_0.1_degree_representation/{YEAR}/{TILE}/{name}")
    return np.load(io.BytesIO(rig.store.read(path, max_bytes=200_000_000).data))


def test_a_real_year_becomes_a_committed_embedding(rig, patch):
    job = enqueue(rig, patch[1])
    worker = rig.start_consumer("real", "--until-empty")
    assert worker.wait(240) == ExitCode.DONE, rig.log_of("real")
    committed = read_commit(rig.store, job.dataset, TILE, 1)
    assert committed is not None
    assert committed.is_published
    assert committed.record.outcome.value == "done"
    embedding, scales = array(rig, job, f"{TILE}.npy"), array(rig, job, f"{TILE}_scales.npy")
    assert embedding.dtype == np.int8
    assert scales.dtype == np.float32
    inside = scales > 0
    assert 25 <= inside.sum() <= 64
    assert np.abs(embedding[inside].astype(int)).max(axis=1).min() == 127
    assert not embedding[~inside].any()
    assert read_dataset(rig.store, job.dataset).is_trained is False
    assert "untrained" in job.dataset


def test_a_worker_with_other_weights_steps_aside_and_the_right_one_finishes(rig, patch, tmp_path):
    for name, seed in (("right", 1), ("wrong", 2)):
        weights = untrained_weights("v2-nano", seed=seed)
        torch.save({"model": dict(weights.state), "args": checkpoint_args(weights)}, tmp_path / f"{name}.pt")
    job = enqueue(rig, patch[1], f"weights={tmp_path / 'right.pt'}")
    assert "untrained" not in job.dataset
    wrong = rig.start_consumer("wrong", "--until-empty", "--weights", str(tmp_path / "wrong.pt"))
    assert wrong.wait(120) == ExitCode.UNFIT, rig.log_of("wrong")
    assert "wrong weights" in rig.log_of("wrong")
    assert read_commit(rig.store, job.dataset, TILE, 1) is None
    right = rig.start_consumer("right", "--until-empty", "--weights", str(tmp_path / "right.pt"))
    assert right.wait(240) == ExitCode.DONE, rig.log_of("right")
    committed = read_commit(rig.store, job.dataset, TILE, 1)
    assert committed is not None
    assert committed.record.done["worker"] == "right"
    provenance = json.dumps(dict(committed.record.provenance))
    assert read_dataset(rig.store, job.dataset).weights_sha256 in provenance


def checkpoint_args(weights):
    """As the published students state them."""
    sizes = weights.dimensions
    return {
        "repr_dim": sizes.representation,
        "latent_dim": sizes.width // 4,
        "num_layers": sizes.optical.layers,
        "nhead": sizes.optical.heads,
        "dim_feedforward": sizes.optical.feedforward,
    }
