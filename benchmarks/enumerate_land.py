"""How long it takes to list every 0.1-degree cell of the earth's land, and in how much memory.

    .venv/bin/python benchmarks/enumerate_land.py [REGION ...]

Without a region: all land but Antarctica, and all land. Everything from starting Python to the last
cell counts, on one core: seconds are CPU seconds of this process, all of its threads together.
"""

from __future__ import annotations

import os
import resource
import sys
import time

REGIONS = (("World", ["Antarctica"]), ("World", []))
BYTES_PER_KIB = 1024


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # After the affinity is set: libraries look at it when they are loaded.
    from producer.boundaries import Boundaries
    from producer.region import resolve

    boundaries = Boundaries.shipped()
    loaded = time.process_time()
    print(f"starting and reading the shipped boundaries: {loaded:.2f} s of CPU")
    for name, excluded in [(word, []) for word in sys.argv[1:]] or REGIONS:
        begun, begun_wall = time.process_time(), time.perf_counter()
        region = resolve([name], exclude=excluded, boundaries=boundaries)
        tiles = sum(1 for _ in region.tiles())
        seconds, wall_seconds = time.process_time() - begun, time.perf_counter() - begun_wall
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_KIB / 1e6
        print(
            f"{region.text}: {tiles:,} cells in {seconds:.1f} s of CPU on one core "
            f"({wall_seconds:.1f} s by the clock), peak RSS so far {peak_mb:.0f} MB"
        )


if __name__ == "__main__":
    main()
