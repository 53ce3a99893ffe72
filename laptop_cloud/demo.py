"""`make demo`: the main job on the laptop cloud, with the commands that an operator types."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import TilefleetError
from contract.job_store import list_jobs
from laptop_cloud import cloud
from laptop_cloud.demo_region import REGION, YEAR, demo_scenes

MODEL = "v2-nano"
RESOLUTION_METRES = 100
VMS = 3


class DemoFailed(TilefleetError):
    """One of the demo's commands failed; it has said why."""


def run_demo(home: Path) -> None:
    """Process the island and leave a picture of it; everything that was started is ended."""
    scenes = demo_scenes(home)
    data = home / "demo-data"
    shutil.rmtree(data, ignore_errors=True)  # a fresh island each time: the scenes and programs stay
    shutil.rmtree(home / "logs", ignore_errors=True)
    picture = home / "demo" / "isle-of-man.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    with (
        cloud.running(home, data, scenes=scenes) as laptop,
        cloud.machines(laptop, cloud.Machines(VMS)),
    ):
        _type(
            laptop,
            ["producer", "enqueue", REGION, "--year", str(YEAR)],
            ["--set", f"model={MODEL}", "--set", f"resolution={RESOLUTION_METRES}"],
        )
        job = _only_job(laptop)
        _type(laptop, ["fleetctl", "status", "--job", job, "--until-done"])
        _type(laptop, ["fleetctl", "mosaic", job, "--output", str(_short(picture))])
        _type(laptop, ["fleetctl", "summary", job])
    print(f"\nmosaic: {_short(picture)}   worker logs: {_short(home / 'logs')}", flush=True)


def _type(laptop: cloud.LaptopCloud, *parts: Sequence[str]) -> None:
    """Run one of our commands as a person would, and show what was typed."""
    program, *arguments = [word for part in parts for word in part]
    shown = " ".join(f"'{word}'" if " " in word else word for word in (program, *arguments))
    print(f"\n$ {shown}", flush=True)
    command = [sys.executable, "-m", program, *arguments]
    status = subprocess.run(command, env=dict(laptop.environ), check=False).returncode
    if status != 0:
        logs = _short(laptop.home / "logs")
        raise DemoFailed(f"`{shown}` ended with status {status}; the workers' logs are in {logs}")


def _only_job(laptop: cloud.LaptopCloud) -> str:
    """The storage was empty before, so it has one job."""
    (job,) = list_jobs(AzureBlobStore(AzureClients(storage_endpoints(laptop.fleet))))
    return job.id


def _short(path: Path) -> Path:
    """Relative to here where that is shorter."""
    return Path(os.path.relpath(path))
