"""fleetctl as a process, on real storage: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.outcomes import Outcome
from contract.tile_id import GridCell, parse_tile
from tests.fleet_rig import FleetRig
from tests.unit.fleetctl.campaign_builder import Campaign, tile_files

pytestmark = pytest.mark.slow
NAMES = ("grid_-4.55_54.15", "grid_-4.45_54.15", "grid_-4.55_54.25")


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def colour(longitude, _latitude):
    rgba = np.full((len(longitude), 4), 255, dtype=np.uint8)
    rgba[:, 0] = np.rint((longitude + 4.6) / 0.2 * 255).clip(0, 255)
    return rgba


def published_tile(cell: GridCell, seed: int) -> dict[str, bytes]:
    """A whole tile of the tessera layout, at 200 m."""
    files = tile_files(cell, colour, metres=200)
    with Image.open(io.BytesIO(files[f"previews/2024/{cell.name}.png"])) as picture:
        width, height = picture.size
    random = np.random.default_rng(seed)
    folder = f"global_0.1_degree_representation/2024/{cell.name}/"
    arrays = {
        f"{cell.name}.npy": npy(random.integers(-127, 128, (height, width, 128), dtype=np.int8)),
        f"{cell.name}_scales.npy": npy(random.random((height, width), dtype=np.float32)),
    }
    digests = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in arrays.items())
    return (
        files | {folder + name: data for name, data in arrays.items()} | {folder + "SHA256": digests.encode()}
    )


@pytest.fixture
def campaign(rig: FleetRig) -> Campaign:
    """Three tiles asked, two with results, one empty; untrained."""
    cells = [parse_tile(name) for name in NAMES]
    made = Campaign(cells, is_trained=False, now=datetime.now(UTC), store=rig.store)
    began = made.now.isoformat()
    for seed, cell in enumerate(cells[:2]):
        made.commit(cell, published_tile(cell, seed), began=began, seconds={"download": 3.0, "infer": 30.0})
    made.commit(cells[2], outcome=Outcome.EMPTY, began=began, seconds={"download": 1.0})
    return made


def test_each_command_says_its_target_and_what_the_job_came_to(rig, campaign, tmp_path):
    status = rig.type("fleetctl", "status")
    assert status.startswith("target: laptop cloud (127.0.0.1)\n")
    assert campaign.job.id in status
    assert "complete" in status
    summary = rig.type("fleetctl", "summary", "island-2024")
    assert summary.splitlines()[-1] == "3/3 tiles"
    assert "untrained" in summary
    assert "50.0%" in summary  # the second inference: 30 s of the 60 s since the first
    facts = json.loads(rig.type("fleetctl", "summary", campaign.job.id, "--json").split("\n", 1)[1])
    assert facts["outcomes"] == {"done": 2, "empty": 1}
    assert facts["busy_share"] == pytest.approx(0.5)
    lines = rig.type("fleetctl", "status", "--job", campaign.job.id, "--until-done")
    assert f"{campaign.job.id}: 3/3 tiles, 1 empty" in lines


def test_what_a_real_worker_commits_can_be_summed_up(rig):
    job = rig.enqueue("bbox:-4.9,54.0,-4.6,54.1", infer_seconds=0.05)
    worker = rig.start_consumer("w-real", "--until-empty")
    lines = rig.type("fleetctl", "status", "--job", job, "--until-done").splitlines()
    assert lines[-1].startswith(f"{job}: 3/3 tiles")
    assert worker.wait(180) == 0
    facts = json.loads(rig.type("fleetctl", "summary", job, "--json").split("\n", 1)[1])
    assert [(share["worker"], share["tiles"]) for share in facts["workers"]] == [("w-real", 3)]
    assert 0 < facts["busy_share"] < 1.1  # rounded to milliseconds of a tenth of a second
    assert {"download", "infer", "upload"} <= {stage["stage"] for stage in facts["stages"]}
    assert facts["wall_seconds"] >= 0.15
    assert "w-real" in rig.type("fleetctl", "status")


def test_a_mosaic_is_painted_from_published_blobs(rig, campaign, tmp_path):
    target = tmp_path / "island.png"
    answer = rig.type("fleetctl", "mosaic", "island-2024", "--output", str(target), "--pixels", "300")
    assert answer.splitlines()[-1] == str(target)
    with Image.open(target) as picture:
        assert picture.width >= 200
        # The first tile is the lower left one, reddest in the east.
        west, east = (picture.getpixel((share * picture.width // 100, 200)) for share in (3, 45))
    assert west[0] < 60
    assert east[0] > 100
    assert west[1:] == (255, 255)


def test_geotessera_opens_what_was_exported(rig, campaign, tmp_path):
    folder = tmp_path / "export"
    answer = rig.type("fleetctl", "export", campaign.job.id, "--output", str(folder))
    assert "3/3 tiles" in answer
    commands = [line.split() for line in answer.splitlines() if line.startswith("  geotessera-registry ")]
    assert [command[1:] for command in commands] == [["hash", str(folder)], ["scan", str(folder)]]
    for command in commands:
        subprocess.run(
            [Path(sys.executable).with_name(command[0]), *command[1:]],
            check=True,
            capture_output=True,
            env=rig.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        )
    for name in NAMES[:2]:
        values = _fetch(folder, name, tmp_path / "cache")
        stored = folder / "global_0.1_degree_representation/2024" / name
        expected = np.load(stored / f"{name}.npy") * np.load(stored / f"{name}_scales.npy")[:, :, None]
        np.testing.assert_array_equal(values, expected)
    assert ": 0 bytes fetched" in rig.type("fleetctl", "export", campaign.job.id, "--output", str(folder))


def _fetch(root: Path, name: str, cache: Path) -> np.ndarray:
    """One tile, by the real client."""
    from geotessera import GeoTessera

    client = GeoTessera(embeddings_dir=root, registry_dir=root, cache_dir=cache)
    longitude, latitude = parse_tile(name).centre
    return client.fetch_embedding(lon=longitude, lat=latitude, year=2024)[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["summary", "isle-of-men"], "there is no job 'isle-of-men'"),
        (["summary", "island-2025"], "did you mean island-2024-"),
        (["mosaic", "island-2024", "--output", "island.jpg"], "is no .png file"),
        (["mosaic", "island-2024", "--output", "nowhere/island.png"], "there is no folder nowhere"),
        (["status", "--fleet", "uk"], "there is no fleet file"),
    ],
)
def test_a_mistake_gets_one_sentence_and_status_2(rig, campaign, arguments, sentence):
    answer = rig.type("fleetctl", *arguments, status=2)
    assert sentence in answer
    complaints = [line for line in answer.splitlines() if not line.startswith("target: ")]
    assert len(complaints) == 1
    assert complaints[0].startswith("fleetctl: ")
