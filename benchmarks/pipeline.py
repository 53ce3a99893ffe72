"""How busy inference is kept: 30 tiles with the measured stage times divided by 100, then with quick inference.

Real queue, leases, uploads and commits on Azurite; only the recipe waits instead of working. The measured
times are 136 s download, 262 s inference, 7 s upload on an A10.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from contract.fleet import laptop_folder
from laptop_cloud import cloud

TILES = "bbox:-4.9,54.0,-4.3,54.5"
"""30 cells."""
CASES = (("measured times by 100", 1.36, 2.62, 0.07), ("quick inference", 1.36, 1.00, 0.07))


def measure(laptop: cloud.LaptopCloud, name: str, download: float, infer: float, write: float) -> None:
    times = {"download_seconds": download, "infer_seconds": infer, "write_seconds": write}
    sets = [word for key, value in times.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "producer", "enqueue", TILES, "--recipe", "toy", "--year", "2024", *sets]
    subprocess.run(command, env=dict(laptop.environ), check=True, stderr=subprocess.DEVNULL)
    worker = [sys.executable, "-m", "consumer", "run", "--until-empty"]
    quick = {"TILEFLEET_CONSUMER_IDLE_POLL_SECONDS": "2"}
    log = subprocess.run(worker, env={**laptop.environ, **quick}, check=True, stderr=subprocess.PIPE).stderr
    lines = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    (ended,) = [line for line in lines if line["event"] == "worker ended"]
    in_flight = [line["now"] for line in lines if line["event"] == "tiles in flight changed"]
    print(
        f"{name}: download {download} s, infer {infer} s, upload {write} s: "
        f"inference busy {ended['inference_busy']:.1%} after the first tile (bar 95 %), "
        f"tiles in flight {' -> '.join(map(str, in_flight))}, "
        f"at most {ended['most_inferences_at_once']} inference at once"
    )


def main() -> None:
    home = laptop_folder(os.environ, Path.cwd()).absolute()
    with (
        tempfile.TemporaryDirectory() as data,
        cloud.sole(home),
        cloud.running(home, Path(data) / "storage") as laptop,
    ):
        for case in CASES:
            measure(laptop, *case)


if __name__ == "__main__":
    main()
