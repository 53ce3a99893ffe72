"""Cubes that other tools made: a folder per tile, with the files that `consumer infer` reads too.

<cubes folder>/<collection>/<year>/<tile>/bands.npy ...   the collection is what a dataset pins

Nothing can pin such cubes by the scenes they came from. The collection's name is therefore part of the
dataset, and each tile's provenance has the digest of the cube that was found.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np

from consumer.imagery.cube import Cube
from consumer.recipe import Progress
from consumer.recipes.tessera.cube_source import plan_of_ready, read_ready
from consumer.recipes.tessera.download import Downloaded
from consumer.recipes.tessera.ready_cube import CubeHistory, ReadyCube
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.tile_land import TileLand, tile_land
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.errors import GiveUp
from contract.tile_id import TileId


@dataclass(frozen=True, slots=True)
class CubeFolder:
    """A CubeSource of one collection on this machine's disk."""

    folder: Path
    """The collection's."""
    settings: TesseraSettings

    def plan(self, tile: TileId, year: int, land: Path | None) -> TilePlan:
        """GiveUp for a tile with land whose folder is missing: that is no empty tile."""
        began = time.monotonic()
        where = tile_land(tile, self.settings, land)
        ready = None if where.is_sea else self._ready(self.folder / str(year) / tile.name, where)
        return plan_of_ready(where, ready, seconds=time.monotonic() - began)

    def memory_bytes(self, plan: TilePlan) -> int:
        """Most that the tile will hold at once."""
        return plan.memory_bytes(0, 0)

    def download(self, plan: TilePlan, progress: Progress) -> Downloaded:  # noqa: ARG002 - the protocol
        """The cube from the disk. GiveUp when it is not as promised or not of this tile's size."""
        if plan.ready is None:
            raise AssertionError("a tile without land has no cube to read")
        return read_ready(plan, plan.ready)

    def _ready(self, folder: Path, where: TileLand) -> ReadyCube:
        if not folder.is_dir():
            raise GiveUp(f"there is no cube in {folder}: put it there, or enqueue without --set cubes=")
        length = sum(path.stat().st_size for path in folder.rglob("*.npy"))
        return ReadyCube(
            origin=f"cubes {self.settings.cubes}",
            memory_bytes=2 * length,  # the whole tile and, beside it, its window
            wire_bytes=0,
            history=CubeHistory(),
            read=partial(_read_window, folder, where),
        )


def _read_window(folder: Path, where: TileLand) -> Cube:
    cube = Cube.load(folder)
    size = (cube.height, cube.width)
    if size == where.window_grid.shape:
        return cube
    if size != where.grid.shape:
        raise GiveUp(
            f"the cube in {folder} has {size} pixels, the tile has {where.grid.shape} "
            f"and its land's window {where.window_grid.shape}"
        )
    # Arrays of dates have one dimension; of the others the second and the third are rows and columns.
    arrays = {field.name: getattr(cube, field.name) for field in fields(Cube)}
    return Cube(
        **{
            name: array if array.ndim == 1 else np.ascontiguousarray(array[(slice(None), *where.window)])
            for name, array in arrays.items()
        }
    )
