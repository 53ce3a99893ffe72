"""`consumer fetch` for Tessera: a tile's prepared year into a folder that `consumer infer` and `--set cubes=` read."""

from __future__ import annotations

import json
from pathlib import Path

from consumer.fetch_tile import FetchRequest
from consumer.imagery.pixel_grid import grid_of
from consumer.recipe import Progress
from consumer.recipes.tessera.declaration import CODE_VERSION, DECLARATION
from consumer.recipes.tessera.download import Downloaded, Imagery
from consumer.recipes.tessera.provenance import ScenesOfTile, versions
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.errors import BadInput, GiveUp

HISTORY = "cube.json"
"""Beside the arrays: what they were made from, and where they lie."""


def fetch(request: FetchRequest, progress: Progress) -> str:
    """Write the cube; returns what came, in one sentence. Nothing is written before all of it is here.

    BadInput for settings that make no sense; GiveUp where there is nothing to fetch; TryLater when the
    source is in trouble.
    """
    settings = TesseraSettings.of(DECLARATION.resolve(request.settings))
    try:
        grid_of(request.tile, settings.resolution)
    except GiveUp as error:
        raise BadInput(str(error)) from error
    imagery = Imagery(request.stac_url, settings, request.cache_folder / "pace")
    plan = imagery.plan(request.tile, request.year, request.land)
    if not plan.scene_count:
        raise GiveUp(f"the catalogue has no scene of {request.year} over {request.tile}'s land")
    downloaded = imagery.download(plan, progress)
    downloaded.cube.save(request.output)
    _write_history(request.output / HISTORY, request, settings, plan, downloaded)
    return _sentence(plan, downloaded)


def _write_history(
    path: Path, request: FetchRequest, settings: TesseraSettings, plan: TilePlan, downloaded: Downloaded
) -> None:
    grid = plan.window_grid
    scenes = ScenesOfTile(
        found=plan.scene_count,
        used=downloaded.used,
        losses=downloaded.losses,
        left_out=plan.left_out,
        refusals=downloaded.refusals,
    )
    record = {
        "tile": request.tile.name,
        "year": request.year,
        "source": settings.source,
        "code_version": CODE_VERSION,
        "crs": grid.crs,
        "transform": list(grid.transform)[:6],
        "shape": list(grid.shape),
        "cube_sha256": downloaded.cube.digest(),
        "scenes": scenes.full(),
        "versions": dict(versions()),
    }
    path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _sentence(plan: TilePlan, downloaded: Downloaded) -> str:
    cube = downloaded.cube
    lost = len({loss.scene for loss in downloaded.losses})
    return (
        f"{cube.height} x {cube.width} pixels, {len(cube.doys)} dates of Sentinel-2, "
        f"{len(cube.sar_ascending_doy)} ascending and {len(cube.sar_descending_doy)} descending of Sentinel-1 "
        f"out of {plan.scene_count} scenes, {lost} lost, {downloaded.wire_bytes / 1e6:.0f} MB read"
    )
