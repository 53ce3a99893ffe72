"""Where a tile's pixels lie and which of them are land: known without any imagery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.pixel_grid import PixelGrid, grid_of
from consumer.recipes.tessera.land_mask import land_mask, land_window
from consumer.recipes.tessera.settings import TesseraSettings
from contract.tile_id import TileId


@dataclass(frozen=True, eq=False, slots=True)
class TileLand:
    """One tile's."""

    grid: PixelGrid
    mask: NDArray[np.uint8]
    """(H, W) of the grid, 1 = land."""
    window: tuple[slice, slice]
    """Rows and columns around the land."""

    @property
    def is_sea(self) -> bool:
        return not self.mask.any()

    @property
    def window_grid(self) -> PixelGrid:
        return self.grid.crop(*self.window)


def tile_land(tile: TileId, settings: TesseraSettings, land: Path | None) -> TileLand:
    """By the polygons of `land`; without them all of the tile counts."""
    grid = grid_of(tile, settings.resolution)
    mask: NDArray[np.uint8] = (
        np.ones(grid.shape, dtype=np.uint8)
        if land is None
        else land_mask(land, grid, settings.coast_margin_metres)
    )
    return TileLand(grid, mask, land_window(mask))
