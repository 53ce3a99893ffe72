"""The drill that needs no machines: a fleet in virtual time, with more of everything than processes could play."""

from __future__ import annotations

import json
import subprocess
import sys

from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.play import Scene
from laptop_cloud.drills.stage import LIMIT_SECONDS

TILES = 500


def virtual_fleet(scene: Scene) -> Cost:
    """Bad days of a whole fleet in virtual time: evictions, crashes, storage trouble, sick machines and bad tiles at
    once. `laptop-cloud virtual-fleet` plays thousands of tiles for hundreds of seeds."""
    # A process of its own: the virtual fleet puts stand-ins under modules that others use.
    words = ["--tiles", str(TILES), "--seed", str(scene.seed), "--processes", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "laptop_cloud", "virtual-fleet", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    try:
        (result,) = json.loads(done.stdout)
    except ValueError as error:
        raise DrillFailed("a virtual fleet runs", done.stderr[-2000:]) from error
    if result["broken_count"]:
        failure = DrillFailed("the laws hold in virtual time", "; ".join(result["broken"]))
        failure.history = "\n".join(result["history"])
        raise failure
    remark = (
        f"{result['virtual_hours']:.1f} virtual hours, {result['poisoned']} tiles given up as they deserve"
    )
    return Cost(result["tiles"], None, None, None, (remark,))
