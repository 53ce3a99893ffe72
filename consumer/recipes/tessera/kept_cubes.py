"""Cubes that this project kept: looked for before the catalogue is asked, stored after imagery was read."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from consumer.cube_store import CubeKey, CubeStore, Taken
from consumer.imagery.cube import Cube
from consumer.imagery.cube_file import cube_shape, read_cube, write_cube
from consumer.imagery.losses import refuse_if_too_many
from consumer.recipe import Progress
from consumer.recipes.tessera.cube_source import CubeSource, plan_of_ready, read_ready
from consumer.recipes.tessera.download import Downloaded
from consumer.recipes.tessera.ready_cube import CubeHistory, ReadyCube
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.tile_land import TileLand, tile_land
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.dataset import PARTIAL_YEAR, Dataset
from contract.errors import GiveUp, TryLater
from contract.json_text import short_digest
from contract.tile_id import TileId

AFTER_THE_CUBE = frozenset({"model", "dtype"})
"""Parameters of the network. Any other one may change the cube, so a new one does until it is named here."""
ORIGIN = "kept cube"


def settings_digest(dataset: Dataset) -> str:
    """Of all that a dataset's cubes follow from, but for period and tile: the same for all its models."""
    pins = {
        "recipe": dataset.recipe,
        "code_version": dataset.code_version,
        "boundaries_sha256": dataset.boundaries_sha256,
        "parameters": {
            name: value for name, value in dataset.parameters.items() if name not in AFTER_THE_CUBE
        },
    }
    return short_digest(pins, length=32)


def is_worth_keeping(dataset: Dataset) -> bool:
    """The year of a partial dataset grows: tomorrow's attempt wants tomorrow's scenes."""
    return not dataset.parameters.get(PARTIAL_YEAR, False)


@dataclass(frozen=True, slots=True)
class KeptCubes:
    """A CubeSource before another one, which is asked for what is not there."""

    source: CubeSource
    store: CubeStore
    settings: TesseraSettings
    digest: str
    """See settings_digest."""

    def plan(self, tile: TileId, year: int, land: Path | None) -> TilePlan:
        """Without any question to the catalogue when there is a cube."""
        began = time.monotonic()
        key = CubeKey(str(year), self.digest, tile)
        taken = self.store.take(key)
        if taken is not None:
            where = tile_land(tile, self.settings, land)
            try:
                ready = self._ready(tile, taken, where)
            except (GiveUp, TryLater, KeyError, TypeError, ValueError) as error:
                self.store.refuse(taken, str(error))
            else:
                return plan_of_ready(where, ready, seconds=time.monotonic() - began)
        plan = self.source.plan(tile, year, land)
        return replace(plan, keep_as=key) if self.settings.keep_cubes else plan

    def memory_bytes(self, plan: TilePlan) -> int:
        """Most that the tile will hold at once."""
        return self.source.memory_bytes(plan)

    def download(self, plan: TilePlan, progress: Progress) -> Downloaded:
        """The kept cube; or the source's, which is kept if the job says so."""
        if plan.ready is not None:
            return read_ready(plan, plan.ready)
        downloaded = self.source.download(plan, progress)
        if plan.keep_as is not None:
            self._keep(plan.keep_as, plan, downloaded)
        return downloaded

    def _ready(self, tile: TileId, taken: Taken, where: TileLand) -> ReadyCube:
        history = CubeHistory.decode(taken.facts)
        # Kept by a job that allowed more than this one does.
        refuse_if_too_many(history.losses, history.scene_count, self.settings.max_lost_percent)
        shape = cube_shape(taken.file)
        if (shape.height, shape.width) != where.window_grid.shape:
            raise GiveUp(
                f"it has {shape.height} x {shape.width} pixels, the land's window {where.window_grid.shape}"
            )
        return ReadyCube(ORIGIN, shape.nbytes, taken.length, history, partial(self._read, tile, taken))

    def _read(self, tile: TileId, taken: Taken) -> Cube:
        """TryLater for what only shows now: its bytes were right, so that another copy would not help."""
        try:
            with taken.file:
                return read_cube(taken.file)
        except (GiveUp, OSError) as error:
            self.store.discard(taken, str(error))
            raise TryLater(
                f"the kept cube of {tile} could not be read: {error}; the next attempt reads the imagery"
            ) from error

    def _keep(self, key: CubeKey, plan: TilePlan, downloaded: Downloaded) -> None:
        downloaded.cube.check()
        history = CubeHistory(plan.scene_count, downloaded.used, downloaded.losses, plan.left_out)
        self.store.keep(
            key,
            partial(write_cube, downloaded.cube),
            history.encode(),
            days=self.settings.keep_cubes,
            size=downloaded.cube.nbytes,
        )
