"""`make demo`: the main job on the laptop cloud, with the commands that an operator types."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from contract.errors import TilefleetError
from laptop_cloud import cloud
from laptop_cloud.demo_region import REGION, YEAR, demo_scenes

MODEL = "v2-nano"
RESOLUTION_METRES = 100
CONSUMERS = 3
_JOB_LINE = re.compile(r"^\s*job\s+(\S+)", re.MULTILINE)


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
        cloud.consumers(laptop, cloud.Consumers(CONSUMERS)),
    ):
        enqueued = _type(
            laptop,
            ["producer", "enqueue", REGION, "--year", str(YEAR)],
            ["--set", f"model={MODEL}", "--set", f"resolution={RESOLUTION_METRES}"],
            keep_output=True,
        )
        job = _job_of(enqueued)
        _type(laptop, ["fleetctl", "status", "--job", job, "--until-done"])
        _type(laptop, ["fleetctl", "mosaic", job, "--output", str(_short(picture))])
        _type(laptop, ["fleetctl", "summary", job])
    print(f"\nmosaic: {_short(picture)}   worker logs: {_short(home / 'logs')}", flush=True)


def _type(laptop: cloud.LaptopCloud, *parts: Sequence[str], keep_output: bool = False) -> str:
    """Run one of our commands as a person would, and show what was typed."""
    program, *arguments = [word for part in parts for word in part]
    shown = " ".join(f"'{word}'" if " " in word else word for word in (program, *arguments))
    print(f"\n$ {shown}", flush=True)
    answer = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        env=dict(laptop.environ),
        stdout=subprocess.PIPE if keep_output else None,
        text=True,
        check=False,
    )
    if keep_output:
        print(answer.stdout, end="", flush=True)
    if answer.returncode != 0:
        raise DemoFailed(
            f"`{shown}` ended with status {answer.returncode}; the workers' logs are in .laptop/logs"
        )
    return answer.stdout or ""


def _job_of(output: str) -> str:
    match = _JOB_LINE.search(output)
    if match is None:
        raise DemoFailed("`producer enqueue` named no job")
    return match.group(1)


def _short(path: Path) -> Path:
    """Relative to here where that is shorter."""
    return Path(os.path.relpath(path))
