"""How fast a year of Sentinel-2 comes onto a tile's grid, beside the libraries that others use for it.

    python benchmarks/imagery.py [--odc-python PYTHON] [--dates 30] [--rounds 3] [--folder FOLDER]

Synthetic scenes (11 bands, COGs of 512-pixel blocks, 30 x 30 km) are served on loopback by ranges, 30 ms
late, 32 answers at a time. Each loader reads all of them onto one tile's grid (690 x 1126 pixels of 10 m,
origin at a fraction of a pixel), in a fresh process per run and in turns, imports outside the clock.
PYTHON is one with odc-stac and stackstac; without it only this project's reader and the floor are measured.
Distinct pixels are made for six dates and served again under other names, which no loader can know.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

FINE, COARSE = ("B02", "B03", "B04", "B08"), ("B05", "B06", "B07", "B8A", "B11", "B12", "SCL")
BANDS = (*FINE, *COARSE)
EPSG, LEFT, TOP, SCENE_METRES = 32630, 420_000, 5_810_000, 30_000
TILE_LEFT, TILE_TOP, WIDTH, HEIGHT = 436_123.4, 5_792_876.6, 690, 1126
DELAY_MS, CONNECTIONS = 30, 32
DISTINCT_DATES = 6
LOADERS = ("ours", "odc-pool-16", "odc-dask-32", "stackstac-16")


def spacing(band: str) -> int:
    return 10 if band in FINE else 20


# --- scenes and server, in the project's environment ---------------------------------------------


def make_scenes(folder: Path, dates: int) -> None:
    jobs = [(folder / f"{date}", band) for date in range(min(dates, DISTINCT_DATES)) for band in BANDS]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: make_file(*job), jobs))
    for date in range(DISTINCT_DATES, dates):
        target = folder / f"{date}"
        target.mkdir(exist_ok=True)
        for band in BANDS:
            if not (target / f"{band}.tif").exists():
                os.link(folder / f"{date % DISTINCT_DATES}" / f"{band}.tif", target / f"{band}.tif")


def make_file(folder: Path, band: str) -> None:
    import numpy as np
    import rasterio
    from affine import Affine

    path = folder / f"{band}.tif"
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    step = spacing(band)
    edge = SCENE_METRES // step
    random = np.random.default_rng([int(folder.name), BANDS.index(band)])
    row, column = np.mgrid[0:edge, 0:edge].astype(np.float32) * step
    field = 2500 + 900 * np.sin(column / 3000) + 700 * np.cos(row / 2200)
    pixels = (field + random.normal(0, 11, field.shape)).astype(np.uint16)
    if band == "SCL":
        pixels = random.choice([4, 5, 8, 9], size=field.shape).astype(np.uint16)
    with rasterio.open(
        path.with_suffix(".part"),
        "w",
        driver="COG",
        width=edge,
        height=edge,
        count=1,
        dtype="uint16",
        crs=f"EPSG:{EPSG}",
        transform=Affine(step, 0, LEFT, 0, -step, TOP),
        nodata=0,
        compress="deflate",
        level=6,
        predictor="yes",
        blocksize=512,
    ) as file:
        file.write(pixels, 1)
    path.with_suffix(".part").rename(path)


def stats(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/_stats") as answer:
        return json.load(answer)


# --- one loader, one run ----------------------------------------------------------------------------


def ours(url: str, dates: int):
    import numpy as np

    from consumer.imagery.layer import Layer
    from consumer.imagery.pixel_grid import PixelGrid
    from consumer.imagery.read import SceneReader
    from consumer.imagery.sign import NoSigning
    from consumer.imagery.tile_reads import TileReads

    grid = PixelGrid(EPSG, TILE_LEFT, TILE_TOP, 10, WIDTH, HEIGHT)
    scenes = [scene(url, date) for date in range(dates)]
    cube = {band: np.zeros((dates, HEIGHT, WIDTH), dtype=np.uint16) for band in BANDS}
    layers = {band: Layer("uint16", nodata=0, is_bilinear=band != "SCL") for band in BANDS}

    def read(date, band):
        cube[band][date] = reads.band(scenes[date], band, layers[band])

    def load():
        reads.run([partial(read, date, band) for date in range(dates) for band in BANDS], lambda: None)
        if reads.losses:
            raise RuntimeError(reads.losses[0])
        return cube

    reads = TileReads(SceneReader(NoSigning()), grid, CONNECTIONS)
    return load


def scene(url: str, date: int):
    from datetime import UTC, datetime

    from consumer.imagery.search import Scene

    return Scene(
        id=f"scene-{date}",
        collection="sentinel-2-l2a",
        acquired=datetime.fromtimestamp(1_700_000_000 + date * 86_400, UTC),
        assets={band: f"{url}/{date}/{band}.tif" for band in BANDS},
        cloud_percent=None,
        orbit="unknown",
        baseline=None,
    )


def stac_items(url: str, dates: int):
    from datetime import UTC, datetime

    import pystac

    bbox = [-4.2, 52.1, -3.7, 52.45]
    items = []
    for date in range(dates):
        when = datetime.fromtimestamp(1_700_000_000 + date * 86_400, UTC)
        west, south, east, north = bbox
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        item = pystac.Item(
            f"scene-{date}", {"type": "Polygon", "coordinates": [ring]}, bbox, when, {"proj:epsg": EPSG}
        )
        item.stac_extensions = [
            "https://stac-extensions.github.io/projection/v1.0.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
        ]
        for band in BANDS:
            edge = SCENE_METRES // spacing(band)
            facts = {
                "proj:shape": [edge, edge],
                "proj:transform": [spacing(band), 0, LEFT, 0, -spacing(band), TOP],
                "raster:bands": [{"data_type": "uint16", "nodata": 0, "spatial_resolution": spacing(band)}],
            }
            item.add_asset(
                band,
                pystac.Asset(
                    f"{url}/{date}/{band}.tif",
                    media_type=pystac.MediaType.COG,
                    roles=["data"],
                    extra_fields=facts,
                ),
            )
        items.append(item)
    return items


def odc(url: str, dates: int, kind: str, workers: int):
    import odc.stac
    from affine import Affine
    from odc.geo.geobox import GeoBox

    items = stac_items(url, dates)
    box = GeoBox((HEIGHT, WIDTH), Affine(10, 0, TILE_LEFT, 0, -10, TILE_TOP), f"EPSG:{EPSG}")
    odc.stac.configure_rio(cloud_defaults=True)
    options = {
        "bands": list(BANDS),
        "geobox": box,
        "resampling": {"SCL": "nearest", "*": "bilinear"},
        "groupby": "id",
    }

    def load():
        if kind == "pool":
            found = odc.stac.load(items, pool=workers, **options)
        else:
            import dask

            with dask.config.set(scheduler="threads", num_workers=workers):
                found = odc.stac.load(items, chunks={}, **options).compute()
        return {band: found[band].values for band in BANDS}

    return load


def stackstac(url: str, dates: int, workers: int):
    import dask
    import numpy as np
    import stackstac
    from rasterio.enums import Resampling

    items = [item.to_dict() for item in stac_items(url, dates)]
    bounds = (TILE_LEFT, TILE_TOP - 10 * HEIGHT, TILE_LEFT + 10 * WIDTH, TILE_TOP)

    def stack(assets, resampling):
        return stackstac.stack(
            items,
            assets=assets,
            epsg=EPSG,
            resolution=10,
            bounds=bounds,
            resampling=resampling,
            dtype="uint16",
            fill_value=np.uint16(0),
            rescale=False,
            snap_bounds=False,
            chunksize=2048,
        ).data

    def load():
        smooth = [band for band in BANDS if band != "SCL"]
        stacks = [stack(smooth, Resampling.bilinear), stack(["SCL"], Resampling.nearest)]
        with dask.config.set(scheduler="threads", num_workers=workers):
            bands, classes = dask.compute(*stacks)
        return {**{band: bands[:, index] for index, band in enumerate(smooth)}, "SCL": classes[:, 0]}

    return load


def client(loader: str, url: str, dates: int, keep: Path) -> None:
    """Measure one load in this process and print what it took; its first two dates are kept in a file."""
    import numpy as np

    kind, _, workers = loader.rpartition("-")
    if loader == "ours":
        load = ours(url, dates)
    elif loader.startswith("odc"):
        load = odc(url, dates, kind.removeprefix("odc-"), int(workers))
    else:
        load = stackstac(url, dates, int(workers))
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    cube = load()
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    np.savez(keep, **{band: cube[band][:2] for band in BANDS})
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = round(after.ru_maxrss / 1024)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}))


# --- the floor --------------------------------------------------------------------------------------


def floor_terms(folder: Path, url: str, dates: int, requests: int, wire_bytes: int) -> dict[str, float]:
    """Seconds of each term; `url` serves the same files without delay."""
    import numpy as np
    import rasterio
    import urllib3
    from rasterio.windows import Window

    from consumer.imagery.read import cores
    from consumer.imagery.resample import Axis, interpolate

    def window(band):
        step = spacing(band)
        column, row = int((TILE_LEFT - LEFT) // step), int((TOP - TILE_TOP) // step)
        return Window(column, row, WIDTH * 10 // step + 2, HEIGHT * 10 // step + 2)

    def decode(job):
        date, band = job
        with rasterio.open(folder / f"{date}" / f"{band}.tif") as file:
            return file.read(1, window=window(band))

    def resample(job):
        band, pixels = job
        step = spacing(band)
        origin = (int((TOP - TILE_TOP) // step), int((TILE_LEFT - LEFT) // step))
        edges = {"source_pixels": SCENE_METRES // step}
        rows = Axis.between(
            first_edge=TILE_TOP, step=-10, count=HEIGHT, source_edge=TOP, source_step=-step, **edges
        )
        columns = Axis.between(
            first_edge=TILE_LEFT, step=10, count=WIDTH, source_edge=LEFT, source_step=step, **edges
        )
        interpolate(pixels, origin, rows, columns, 0)

    pool = urllib3.PoolManager(maxsize=8)

    def fetch(band):
        size = wire_bytes // (dates * len(BANDS))
        headers = {"Range": f"bytes=0-{size - 1}"}
        return len(pool.request("GET", f"{url}/0/{band}.tif", headers=headers).data)

    with rasterio.Env(GDAL_NUM_THREADS=1, GDAL_CACHEMAX=64), ThreadPoolExecutor(cores()) as threads:
        jobs = [(date, band) for date in range(dates) for band in BANDS]
        began = time.perf_counter()
        list(threads.map(decode, jobs))
        decoding = time.perf_counter() - began
        images = [(band, np.asarray(decode((0, band)))) for band in BANDS]
        began = time.perf_counter()
        list(threads.map(resample, [image for image in images for _ in range(dates)]))
        resampling = time.perf_counter() - began
    with ThreadPoolExecutor(8) as threads:
        began = time.perf_counter()
        sent = sum(threads.map(fetch, [band for band in BANDS for _ in range(dates)]))
        rate = sent / (time.perf_counter() - began)
    return {
        "bytes / server rate": wire_bytes / rate,
        f"round trips x {DELAY_MS} ms / {CONNECTIONS}": requests * DELAY_MS / 1000 / CONNECTIONS,
        f"GDAL's decoding on {cores()} threads + resampling": decoding + resampling,
        "of which resampling": resampling,
    }


# --- all of it --------------------------------------------------------------------------------------


def run(python: str, loader: str, url: str, dates: int, keep: Path) -> dict:
    before = stats(url)
    command = [python, __file__, "--client", loader, "--url", url, "--dates", str(dates)]
    command += ["--keep", str(keep / loader)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    answer = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=300, env=environment
    )
    if answer.returncode:
        raise SystemExit(f"{loader} failed:\n{answer.stderr[-2000:]}")
    after = stats(url)
    counted = {name: after[name] - before[name] for name in ("requests", "heads", "bytes_sent")}
    return {**json.loads(answer.stdout.splitlines()[-1]), **counted}


def difference(one: Path, other: Path) -> str:
    """How two loaders' pixels differ, for a person."""
    import numpy as np

    with np.load(one) as mine, np.load(other) as theirs:
        apart = [np.abs(mine[band].astype(int) - theirs[band].astype(int)) for band in BANDS]
    share = sum(map(np.count_nonzero, apart)) / sum(band.size for band in apart)
    classes = "equal" if not apart[BANDS.index("SCL")].any() else "not equal"
    return (
        f"{100 * share:.4f} % of pixels differ, by {max(band.max() for band in apart)} at most; SCL {classes}"
    )


def report(results: dict[str, list[dict]], terms: dict[str, float], dates: int, keep: Path) -> None:
    files = dates * len(BANDS)
    floor = max(seconds for name, seconds in terms.items() if not name.startswith("of which"))
    print(f"\n{'loader':14} {'median s':>8} {'all s':>20} {'CPU s':>6} {'x floor':>7} {'peak MB':>7} "
          f"{'requests per file':>17} {'HEAD':>5} {'MB':>6}")  # fmt: skip
    for loader, runs in results.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        everything = " ".join(f"{run['seconds']:.2f}" for run in runs)
        first = runs[0]
        print(
            f"{loader:14} {seconds:8.2f} {everything:>20} "
            f"{statistics.median(run['cpu_seconds'] for run in runs):6.1f} {seconds / floor:7.2f} "
            f"{max(run['peak_mb'] for run in runs):7} {first['requests'] / files:17.2f} {first['heads']:5} "
            f"{first['bytes_sent'] / 1e6:6.0f}"
        )
    mine = statistics.median(run["seconds"] for run in results["ours"])
    for loader, runs in results.items():
        if loader != "ours":
            times = statistics.median(run["seconds"] for run in runs) / mine
            apart = difference(keep / "ours.npz", keep / f"{loader}.npz")
            print(f"{loader}: {times:.2f} times as long as ours; {apart}")
    for name, seconds in terms.items():
        print(f"floor: {name}: {seconds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--odc-python", help="a Python with odc-stac and stackstac")
    parser.add_argument("--dates", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the scenes here, and reuse them")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        client(options.client, options.url, options.dates, options.keep)
        return
    with tempfile.TemporaryDirectory() as temporary:
        measure(options, options.folder or Path(temporary) / "scenes", Path(temporary))


def measure(options: argparse.Namespace, folder: Path, work: Path) -> None:
    from laptop_cloud import imagery_server

    make_scenes(folder, options.dates)
    loaders = LOADERS if options.odc_python else ("ours",)
    results: dict[str, list[dict]] = {loader: [] for loader in loaders}
    with (
        imagery_server.running(
            folder, work / "late.log", delay_ms=DELAY_MS, max_connections=CONNECTIONS
        ) as late,
        imagery_server.running(folder, work / "prompt.log") as prompt,
    ):
        for number in range(options.rounds):
            first = number % len(loaders)
            for loader in (*loaders[first:], *loaders[:first]):  # nobody is always first
                python = sys.executable if loader == "ours" else options.odc_python
                results[loader].append(run(python, loader, late, options.dates, work))
                print(f"{loader}: {results[loader][-1]['seconds']:.2f} s", file=sys.stderr)
        mine = results["ours"][0]
        terms = floor_terms(folder, prompt, options.dates, mine["requests"], mine["bytes_sent"])
    report(results, terms, options.dates, work)


if __name__ == "__main__":
    main()
