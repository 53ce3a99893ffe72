"""Puts one scene into a folder: a COG per asset, then the STAC item that makes it count.

Synthetic scenes and real pixels take the same way.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from laptop_cloud.scenes.cog import write_cog
from laptop_cloud.scenes.items import ITEM_FILE, cog_asset, item


@dataclass(frozen=True)
class Raster:
    """One asset's pixels and where they lie."""

    pixels: NDArray[Any]
    """(height, width)."""
    transform: Affine
    """Pixel to metres; north up."""


def write_scene(
    root: Path,
    *,
    scene_id: str,
    collection: str,
    when: datetime,
    epsg: int,
    assets: dict[str, Raster],
    properties: dict[str, Any],
    nodata: float = 0,
    footprint: shapely.Geometry | None = None,
) -> Path:
    """Write a scene to `root`/<collection>/<scene_id>/ and return that folder.

    `assets` by name (B02, SCL, vv ...) in the one coordinate system `epsg`; `when` in UTC; `footprint` in
    metres, by default the box around all assets. `properties` are added to the item's. The item is
    written last and replaces an older one; a call that was interrupted leaves none. One writer a scene.
    """
    folder = root / collection / scene_id
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob("*.part"):
        leftover.unlink()
    for name, raster in assets.items():
        write_cog(
            folder / f"{name}.tif",
            raster.pixels,
            transform=raster.transform,
            crs=CRS.from_epsg(epsg),
            nodata=nodata,
            # The mean of two classes is no class; whatever has bytes for pixels holds classes.
            overviews="nearest" if raster.pixels.dtype == np.uint8 else "average",
        )
    described = {
        name: cog_asset(name, raster.transform, (raster.pixels.shape[0], raster.pixels.shape[1]))
        for name, raster in assets.items()
    }
    boxes = [shapely.box(*asset["proj:bbox"]) for asset in described.values()]
    record = item(
        scene_id=scene_id,
        collection=collection,
        when=when,
        epsg=epsg,
        footprint=shapely.box(*shapely.total_bounds(boxes)) if footprint is None else footprint,
        assets=described,
        properties=properties,
    )
    unfinished = folder / f"{ITEM_FILE}.{os.getpid()}.part"
    unfinished.write_text(json.dumps(record))
    unfinished.replace(folder / ITEM_FILE)
    return folder
