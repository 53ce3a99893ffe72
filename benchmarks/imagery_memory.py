"""How much memory a heavy year takes: 146 days, 1,500 scenes, one tile of 690 x 1126 pixels of 10 m.

    python benchmarks/imagery_memory.py [--folder FOLDER]

The scenes of a day are the same files under the same addresses, read again each time: 1,200 of Sentinel-2,
of which every classification and one scene's bands a day are read, and 300 of Sentinel-1. The recipe's own
download builds the cube, in a fresh process; the answer is that process's peak beside the cube's size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from imagery import EPSG, HEIGHT, LEFT, SCENE_METRES, TILE_LEFT, TILE_TOP, TOP, WIDTH, make_scenes

DAYS, OPTICAL_SCENES, RADAR_SCENES = 146, 1200, 300
FILES = 3
"""Different dates that were made."""


def make_radar(folder: Path) -> None:
    import numpy as np
    import rasterio
    from affine import Affine

    for band in ("VV", "VH"):
        path = folder / f"{band}.tif"
        if path.exists():
            continue
        random = np.random.default_rng(len(band))
        edge = SCENE_METRES // 10
        with rasterio.open(
            path,
            "w",
            driver="COG",
            width=edge,
            height=edge,
            count=1,
            dtype="float32",
            crs=f"EPSG:{EPSG}",
            transform=Affine(10, 0, LEFT, 0, -10, TOP),
            nodata=-32768,
            compress="deflate",
            level=1,
            blocksize=512,
        ) as file:
            file.write(random.gamma(4, 0.02, (edge, edge)).astype(np.float32), 1)


def scenes_of(url: str, collection: str, count: int, bands: tuple[str, ...], folder_of):
    from consumer.imagery.search import Scene

    begin = datetime(2024, 1, 1, 10, tzinfo=UTC)
    found = []
    for number in range(count):
        day = number * DAYS // count
        found.append(
            Scene(
                id=f"{collection}-{number}",
                collection=collection,
                acquired=begin + timedelta(days=2 * day, seconds=number),
                assets={band: f"{url}/{folder_of(day)}/{band}.tif" for band in bands},
                cloud_percent=None,
                orbit="ascending" if number % 2 else "descending",
                baseline=None,
            )
        )
    return found


def client(url: str) -> None:
    """Download the year in this process and print what it took."""
    import numpy as np
    from imagery import BANDS

    from consumer.imagery.pixel_grid import PixelGrid
    from consumer.recipes.tessera import radar_year
    from consumer.recipes.tessera.download import Imagery
    from consumer.recipes.tessera.settings import TesseraSettings
    from consumer.recipes.tessera.tile_plan import TilePlan

    radar = scenes_of(url, "radar", RADAR_SCENES, ("VV", "VH"), lambda _: "radar")
    plan = TilePlan(
        grid=PixelGrid(EPSG, TILE_LEFT, TILE_TOP, 10, WIDTH, HEIGHT),
        mask=np.ones((HEIGHT, WIDTH), dtype=np.uint8),
        window=(slice(0, HEIGHT), slice(0, WIDTH)),
        optical=scenes_of(url, "optical", OPTICAL_SCENES, BANDS, lambda day: day % FILES),
        ascending=radar_year.usable_scenes(radar, "ascending"),
        descending=radar_year.usable_scenes(radar, "descending"),
    )
    with tempfile.TemporaryDirectory() as folder:
        imagery = Imagery(url, TesseraSettings.of({}), Path(folder))
        began = time.perf_counter()
        downloaded = imagery.download(plan, lambda _: None)
        seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "scenes": plan.scene_count,
                "days": len(downloaded.cube.doys),
                "passes": plan.radar_passes,
                "cube_mb": downloaded.cube.nbytes / 1e6,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 * 1.024,
                "reserved_mb": imagery.memory_bytes(plan) / 1e6,
                "seconds": seconds,
                "read_mb": downloaded.wire_bytes / 1e6,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the scenes here, and reuse them")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        client(options.client)
        return

    from laptop_cloud import imagery_server

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "scenes"
        make_scenes(folder, FILES)
        (folder / "radar").mkdir(exist_ok=True)
        make_radar(folder / "radar")
        with imagery_server.running(folder, Path(temporary) / "server.log") as url:
            command = [sys.executable, __file__, "--client", url]
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    print(
        f"{found['scenes']} scenes, {found['days']} days and {found['passes']} radar passes: cube "
        f"{found['cube_mb']:.0f} MB, peak {found['peak_mb']:.0f} MB, "
        f"{found['peak_mb'] - found['cube_mb']:.0f} MB beside the cube "
        f"(reserved {found['reserved_mb']:.0f} MB); {found['read_mb']:.0f} MB read in {found['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
