"""A tile's imagery, from its land and the catalogue to a cube: everything of it that needs the network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from consumer.imagery.archives import archive_of
from consumer.imagery.cube import Cube
from consumer.imagery.losses import Loss, refuse_if_too_many
from consumer.imagery.pace_board import SharedBoard
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.read import SceneReader, cores
from consumer.imagery.search import Catalogue, Scene
from consumer.imagery.sign import Signer, signer_for
from consumer.imagery.tile_reads import TileReads
from consumer.imagery.turns import Turns
from consumer.recipe import Progress
from consumer.recipes.tessera import optical_year, radar_year
from consumer.recipes.tessera.optical_year import OpticalReading
from consumer.recipes.tessera.radar_year import RadarReading
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.tile_land import tile_land
from consumer.recipes.tessera.tile_plan import TilePlan
from contract.tile_id import TileId


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The imagery of a tile's window."""

    cube: Cube
    used: Sequence[Scene]
    losses: Sequence[Loss]
    wire_bytes: int
    refusals: Mapping[str, int]
    """Requests that were repeated until they succeeded, by why they had been refused."""


class Imagery:
    """Plans and downloads tiles of one source; safe to share between threads."""

    def __init__(
        self, stac_url: str, settings: TesseraSettings, pace_folder: Path, signer: Signer | None = None
    ) -> None:
        """`pace_folder` is shared by all slots of a machine: there they agree on how fast to read.
        `signer`: another one than the catalogue calls for.

        BadInput for a source that is not known.
        """
        self._settings = settings
        self._archive = archive_of(settings.source)
        self._catalogue = Catalogue(stac_url, self._archive)
        self._reader = SceneReader(signer or signer_for(stac_url), Turns(SharedBoard(pace_folder)))

    def plan(self, tile: TileId, year: int, land: Path | None) -> TilePlan:
        """The tile's land, and every scene of the year over it. Without `land` all of the tile counts.

        TryLater when the catalogue does not answer properly.
        """
        began = time.monotonic()
        where = tile_land(tile, self._settings, land)
        optical, radar = ([], []) if where.is_sea else self._search(where.window_grid, year)
        return TilePlan(
            grid=where.grid,
            mask=where.mask,
            window=where.window,
            optical=optical_year.usable_scenes(optical, self._settings.max_cloud),
            ascending=radar_year.usable_scenes(radar, "ascending"),
            descending=radar_year.usable_scenes(radar, "descending"),
            left_out={
                **optical_year.left_out(optical, self._settings.max_cloud),
                **radar_year.left_out(radar),
            },
            seconds={"plan": time.monotonic() - began},
        )

    def memory_bytes(self, plan: TilePlan) -> int:
        """Most that the tile will hold at once."""
        return plan.memory_bytes(self._settings.download_threads, cores())

    def download(self, plan: TilePlan, progress: Progress) -> Downloaded:
        """The cube of the land's window.

        TryLater when the source throttles or fails to the end, or lost more scenes than is allowed.
        """
        began = time.monotonic()
        settings = self._settings
        reads = TileReads(self._reader, plan.window_grid, settings.download_threads)
        steps = _Steps(plan.steps, progress)
        optics = OpticalReading(reads, plan.land, settings.source, settings.min_optical_coverage).read_year(
            plan.optical, steps.advance
        )
        radar = RadarReading(reads, plan.land, settings.source, settings.min_radar_coverage)
        ascending = radar.read_year(plan.ascending, steps.advance)
        descending = radar.read_year(plan.descending, steps.advance)
        refuse_if_too_many(reads.losses, plan.scene_count, settings.max_lost_percent)
        plan.seconds["download"] = time.monotonic() - began
        cube = Cube(
            bands=optics.bands,
            masks=optics.masks,
            doys=optics.doys,
            sar_ascending=ascending.images,
            sar_ascending_doy=ascending.doys,
            sar_descending=descending.images,
            sar_descending_doy=descending.doys,
        )
        used = [*optics.used, *ascending.used, *descending.used]
        return Downloaded(cube, used, reads.losses, reads.tally.wire_bytes, reads.tally.refusals)

    def _search(self, grid: PixelGrid, year: int) -> tuple[list[Scene], list[Scene]]:
        start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        box = grid.lonlat_bounds
        return (
            self._catalogue.search(self._archive.optical_collection, box, start, end),
            self._catalogue.search(self._archive.radar_collection, box, start, end),
        )


class _Steps:
    """Steps of a download as a share of all."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._progress = progress

    def advance(self, steps: int) -> None:
        self._done += steps
        self._progress(min(self._done / self._total, 1.0))
