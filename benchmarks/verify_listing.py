"""How long `fleetctl verify` takes, in how much memory: `python benchmarks/verify_listing.py [TILES ...]`.

The real command, as a process on one core, against a stand-in (on the other cores) that answers like a container of
that many tiles with one commit and four artifacts each, nine of them damaged: all nine must be named.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import container_stand_in

REPOSITORY = Path(__file__).resolve().parents[1]
WRONG = 9


def measure(tiles: int) -> str:
    """One run, in words."""
    with (
        tempfile.TemporaryDirectory() as folder,
        container_stand_in.running(tiles, WRONG) as blob_url,
    ):
        fleet = Path(folder) / "standin.toml"
        fleet.write_text(
            'name = "standin"\nkind = "laptop"\nlocation = "here"\n[storage]\ncontainer = "standin"\n'
            f'queue_url = "{blob_url}"\nblob_url = "{blob_url}"\n'
        )
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "fleetctl", "verify", "bench", "--json", "--fleet", str(fleet)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    found = json.loads(output)
    named = sorted(fault["kind"] for fault in found["faults"])
    expected = sorted(container_stand_in.damaged_tiles(tiles, WRONG).wrong.values())
    assert os.waitstatus_to_exitcode(status) == 1, "damaged tiles make a job incomplete"
    assert named == expected, f"{named} were named, {expected} are damaged"
    processor_seconds = used.ru_utime + used.ru_stime
    return (
        f"{tiles:,} tiles, {found['blobs']:,} blobs: {seconds:.0f} s ({found['blobs'] / seconds:,.0f} blobs/s), "
        f"{processor_seconds / found['blobs'] * 1000:.3f} ms of processor time per blob, "
        f"peak memory {used.ru_maxrss / 1024:.0f} MiB; all {WRONG} damaged tiles named"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tiles", nargs="*", type=int, default=[10_000, 100_000])
    for tiles in parser.parse_args(arguments).tiles:
        print(measure(tiles), flush=True)


if __name__ == "__main__":
    main()
