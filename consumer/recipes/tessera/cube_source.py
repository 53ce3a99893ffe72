"""Where a tile's cube comes from. Each kind of source keeps the same three promises.

download.Imagery      the scenes that a catalogue names
kept_cubes.KeptCubes  what an earlier attempt or another model left, before any of the others
cube_folder.CubeFolder   what other tools made
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from consumer.recipe import Progress
from consumer.recipes.tessera.download import Downloaded
from consumer.recipes.tessera.ready_cube import ReadyCube
from consumer.recipes.tessera.tile_land import TileLand
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.tile_id import TileId


class CubeSource(Protocol):
    """Called from several threads at once."""

    def plan(self, tile: TileId, year: int, land: Path | None) -> TilePlan:
        """The tile's land and what there is to read. TryLater when the source does not answer properly."""
        ...

    def memory_bytes(self, plan: TilePlan) -> int:
        """Most that the tile will hold at once."""
        ...

    def download(self, plan: TilePlan, progress: Progress) -> Downloaded:
        """The cube of the land's window, for a plan that has imagery."""
        ...


def plan_of_ready(where: TileLand, ready: ReadyCube | None, *, seconds: float) -> TilePlan:
    """A plan that asks for no scene; `ready` is None where there is no land. `seconds`: what it took so far."""
    return TilePlan(
        grid=where.grid,
        mask=where.mask,
        window=where.window,
        optical=(),
        ascending=(),
        descending=(),
        left_out=ready.history.left_out if ready else {},
        seconds={"plan": seconds},
        ready=ready,
    )


def read_ready(plan: TilePlan, ready: ReadyCube) -> Downloaded:
    """The cube, as if it had just been downloaded."""
    began = time.monotonic()
    cube = ready.read()
    plan.seconds["download"] = time.monotonic() - began
    return Downloaded(cube, ready.history.used, ready.history.losses, ready.wire_bytes, refusals={})
