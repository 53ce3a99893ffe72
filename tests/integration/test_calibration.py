"""A calibration as it is typed: machines that serve their own queues, measured, kept, and gone, on Ctrl-C too."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import LAPTOP_VARIABLE
from fleetctl.exit_codes import ExitCode
from fleetctl.money.calibrations import read_calibrations
from laptop_cloud import imagery_server, managed, stac
from laptop_cloud.cloud import LaptopCloud
from laptop_cloud.machines.fleet import fleet
from laptop_cloud.managed import ManagedPlan
from laptop_cloud.scenes import SceneRecipe, make_year
from tests.fleet_rig import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
REPOSITORY = str(Path(__file__).resolve().parents[2])
TILE = "grid_-4.55_54.15"
SIZES = ("Standard_D2s_v5", "Standard_D4s_v5")


@pytest.fixture(scope="module")
def stac_url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    recipe = SceneRecipe(
        (-4.6, 54.1, -4.5, 54.2), 2024, spacing_metres=100, sentinel2_dates=4, sentinel1_dates=4
    )
    scenes = make_year(recipe, folder / "scenes", processes=0)
    with (
        imagery_server.running(scenes, folder / "imagery.log") as imagery_url,
        stac.running(scenes, imagery_url, folder / "stac") as url,
    ):
        yield url


@pytest.fixture
def laptop(azurite, tmp_path, monkeypatch, stac_url):
    """A laptop cloud without machines, whose clock is fast."""
    monkeypatch.setenv("PYTHONPATH", REPOSITORY)
    monkeypatch.setenv(LAPTOP_VARIABLE, str(tmp_path))
    with fleet(azurite, tmp_path, 0, relay=False, stac_url=stac_url) as running:
        cloud = LaptopCloud(tmp_path, running.fleet, running.environ)
        with managed.machines(cloud, running.room, ManagedPlan(most_machines=2, speed=60)) as controlled:
            yield running, controlled.manager.compute


def typed(running, *sizes):
    """The command, begun. What it says goes into a file: a pipe that nobody reads would stop it."""
    words = [
        "--sizes",
        ",".join(sizes),
        "--regions",
        "westeurope",
        "--max-usd",
        "3",
        "--year",
        "2024",
        "--yes",
    ]
    settings = ["--set", "model=v2-nano", "--set", "resolution=500"]
    with (running.folder / "said.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "fleetctl", "calibrate", TILE, *words, *settings],
            env=dict(running.environ),
            cwd=running.folder,
            stdout=said,
            stderr=said,
        )


def said(running):
    return (running.folder / "said.txt").read_text()


def test_a_tile_is_measured_on_a_machine_of_each_size_and_no_machine_is_left_however_it_ends(laptop):
    running, compute = laptop
    interrupted = typed(running, SIZES[0])
    wait_for(lambda: compute.at_risk() != [] or interrupted.poll() is not None, "its machine")
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.wait(120) == ExitCode.INTERRUPTED, said(running)
    assert compute.world.machines == {}

    measuring = typed(running, *SIZES)
    assert measuring.wait(240) == ExitCode.DONE, said(running)
    assert compute.world.machines == {}
    assert running.room.vms == {}
    kept = read_calibrations(AzureBlobStore(AzureClients(storage_endpoints(running.fleet))))
    assert set(kept) == {(size, "westeurope") for size in SIZES}
    for calibration in kept.values():
        assert calibration.tile == TILE
        assert min(calibration.boot_seconds, calibration.cube_seconds, calibration.usd_per_tile) > 0
        assert calibration.download_seconds > 0, "its cube was there the second time"
    prices = [sys.executable, "-m", "fleetctl", "prices", "westeurope", "--sizes", SIZES[0]]
    shown = subprocess.run(
        prices, env=dict(running.environ), cwd=running.folder, capture_output=True, text=True, check=True
    )
    assert "measured" in shown.stdout
