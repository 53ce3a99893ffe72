"""What a tile will need, known from its land and the catalogue alone: scenes, steps, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumer.cube_store import CubeKey
from consumer.imagery.cube import Cube
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.search import Scene
from consumer.recipes.tessera.optical_year import READS_PER_DAY, by_day
from consumer.recipes.tessera.ready_cube import ReadyCube

OPTICAL_BYTES_PER_PIXEL = 10 * 2 + 1 + 1
"""Of one day: ten bands, the mask, and the choice of scenes that it is made from."""
RADAR_BYTES_PER_PIXEL = 2 * 2
"""Of one pass."""
DECODING_BYTES_PER_PIXEL = 24
"""Of one decoding thread: a raw image, its copy on the grid and what is computed from it."""
CONNECTION_BYTES = 8 * 2**20
"""Of one file under way: its blocks as they travel, compressed, and the header."""
RESULT_BYTES_PER_PIXEL = 2 * (128 + 4)
"""The embedding of the land's window, and once more on the whole grid."""
FIXED_BYTES = 96 * 2**20
"""GDAL's block cache, and inference's batches."""


@dataclass(frozen=True, slots=True)
class TilePlan:
    """A tile before its imagery."""

    grid: PixelGrid
    """Of the whole tile: what is published."""
    mask: NDArray[np.uint8]
    """(H, W) of the grid, 1 = land."""
    window: tuple[slice, slice]
    """Rows and columns around the land: nothing else is read."""
    optical: Sequence[Scene]
    ascending: Sequence[Scene]
    descending: Sequence[Scene]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Scenes of the catalogue that were not asked for, by why."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each step took so far."""
    ready: ReadyCube | None = None
    """A cube that was made before: no scene is read."""
    keep_as: CubeKey | None = None
    """Its cube is to be kept under this key."""

    @property
    def land(self) -> NDArray[np.bool_]:
        """(rows, columns) of the window."""
        return self.mask[self.window].astype(np.bool_)

    @property
    def window_grid(self) -> PixelGrid:
        """Where the window's pixels lie."""
        return self.grid.crop(*self.window)

    @property
    def has_imagery(self) -> bool:
        return self.ready is not None or self.scene_count > 0

    @property
    def scene_count(self) -> int:
        if self.ready is not None:
            return self.ready.history.scene_count
        return len(self.optical) + len(self.ascending) + len(self.descending)

    @property
    def scene_list(self) -> list[list[str]] | None:
        """Which scenes will be read, as JSON; None for a cube that was made before."""
        if self.ready is not None:
            return None
        return [_identity(scene) for scene in (*self.optical, *self.ascending, *self.descending)]

    def limited_to(self, scene_list: Any) -> TilePlan | None:
        """The same with the scenes of that list and no others; None when one of them is not among ours."""
        if self.ready is not None or scene_list is None:
            return self
        wanted = {tuple(identity) for identity in scene_list}
        limited = replace(
            self,
            optical=[scene for scene in self.optical if tuple(_identity(scene)) in wanted],
            ascending=[scene for scene in self.ascending if tuple(_identity(scene)) in wanted],
            descending=[scene for scene in self.descending if tuple(_identity(scene)) in wanted],
        )
        return limited if {tuple(identity) for identity in limited.scene_list or ()} == wanted else None

    @property
    def optical_days(self) -> int:
        return len(by_day(self.optical))

    @property
    def radar_passes(self) -> int:
        """Days with an image of either direction; a day with both counts twice."""
        return len({(scene.date, scene.orbit) for scene in (*self.ascending, *self.descending)})

    @property
    def steps(self) -> int:
        """Of the download, for its progress."""
        return READS_PER_DAY * self.optical_days + self.radar_passes

    def memory_bytes(self, connections: int, decoders: int) -> int:
        """Most that the tile will hold at once, should every day be of use."""
        if self.ready is not None:
            return self.ready.memory_bytes + self.memory_bytes_with(None)
        per_pixel = (
            self.optical_days * OPTICAL_BYTES_PER_PIXEL
            + self.radar_passes * RADAR_BYTES_PER_PIXEL
            + decoders * DECODING_BYTES_PER_PIXEL
        )
        in_flight = connections * CONNECTION_BYTES
        return self.window_grid.pixels * per_pixel + in_flight + self.memory_bytes_with(None)

    def memory_bytes_with(self, cube: Cube | None) -> int:
        """What it holds once it is read: its cube, and room for its result."""
        return FIXED_BYTES + self.grid.pixels * RESULT_BYTES_PER_PIXEL + (cube.nbytes if cube else 0)


def _identity(scene: Scene) -> list[str]:
    return [scene.collection, scene.id]
