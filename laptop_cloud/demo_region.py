"""The imagery of the demo: a synthetic year over the Isle of Man, made once and kept."""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path

REGION = "Isle of Man"
YEAR = 2024
BBOX = (-4.9, 54.0, -4.2, 54.5)
"""Degrees: the island's 18 cells and a little sea."""
SPACING_METRES = 50
"""Five times coarser than Sentinel-2, so that a year of it is made within a minute."""


def demo_scenes(home: Path) -> Path:
    """The folder with the scenes, made at the first call (a progress bar says how long)."""
    from laptop_cloud.scenes import SceneRecipe, land_over, make_year  # noqa: PLC0415  a second, for few commands

    with as_file(files("producer") / "data" / "boundaries.parquet") as boundaries:
        land = land_over(BBOX, boundaries)
    recipe = SceneRecipe(bbox=BBOX, year=YEAR, spacing_metres=SPACING_METRES, land_wkb=land)
    return make_year(recipe, home / "scenes", processes=len(os.sched_getaffinity(0)))
