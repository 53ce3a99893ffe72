"""The tessera recipe: a tile's land and scenes, its cube, its embedding, its files.

Reads from top to bottom as a tile goes: plan -> download -> prepare -> infer -> write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from consumer.imagery.archives import archive_of
from consumer.imagery.cube import Cube
from consumer.imagery.losses import Loss, refuse_if_too_many
from consumer.imagery.pace_board import SharedBoard
from consumer.imagery.pixel_grid import PixelGrid, grid_of
from consumer.imagery.read import SceneReader, cores
from consumer.imagery.search import Catalogue, Scene
from consumer.imagery.sign import signer_for
from consumer.imagery.tile_reads import TileReads
from consumer.imagery.turns import Turns
from consumer.recipe import Plan, Prepared, Progress, RecipeContext, Written
from consumer.recipes.tessera import optical_year, radar_year
from consumer.recipes.tessera.artifacts import TileResult, write_artifacts
from consumer.recipes.tessera.engine import Dtype, Embedding, Engine
from consumer.recipes.tessera.land_mask import land_mask, land_window
from consumer.recipes.tessera.optical_year import OpticalReading
from consumer.recipes.tessera.provenance import ScenesOfTile
from consumer.recipes.tessera.radar_year import RadarReading
from consumer.recipes.tessera.selftest import check_engine
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.tile_plan import TilePlan
from consumer.recipes.tessera.untrained import untrained_weights
from consumer.recipes.tessera.weights import Weights, load_weights
from contract.errors import BadInput, WorkerUnfit
from contract.tile_id import TileId


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The imagery of a tile's window."""

    cube: Cube
    used: Sequence[Scene]
    losses: Sequence[Loss]
    wire_bytes: int


@dataclass(frozen=True, slots=True)
class PreparedTile:
    """What inference and the files need."""

    plan: TilePlan
    cube: Cube | None
    """None: nothing to infer."""
    cube_sha256: str | None
    scenes: ScenesOfTile
    seconds: dict[str, float]


class TesseraRecipe:
    """Tessera, opened for one dataset. All but `infer` may run in several threads at once."""

    def __init__(self, context: RecipeContext) -> None:
        """Load the network. WorkerUnfit when this worker cannot match the dataset's pins."""
        self._dataset = context.dataset
        self._land_file = context.land
        try:
            self._settings = TesseraSettings.of({**context.settings, **context.dataset.recipe_parameters})
            self._archive = archive_of(self._settings.source)
            if context.imagery.source not in ("", self._settings.source):
                raise BadInput(
                    f"dataset {context.dataset.name} pins source {self._settings.source}, "
                    f"this worker's catalogue follows {context.imagery.source}"
                )
            self._engine = Engine(
                _load(context, self._settings),
                data_source=self._settings.source,
                device=context.device,
                dtype=cast("Dtype", self._settings.dtype),
                threads=context.threads,
            )
        except BadInput as error:
            raise WorkerUnfit(f"this worker cannot work on {context.dataset.name}: {error}") from error
        self._catalogue = Catalogue(context.imagery.stac_url, self._archive)
        self._reader = SceneReader(
            signer_for(context.imagery.stac_url),
            # The land lies in the cache folder, which all slots of a machine share.
            Turns(SharedBoard(context.land.parent / "pace")),
        )

    def plan(self, tile: TileId) -> Plan:
        """The tile's land, and every scene of the year over it."""
        began = time.monotonic()
        grid = grid_of(tile, self._settings.resolution)
        mask = land_mask(self._land_file, grid, self._settings.coast_margin_metres)
        window = land_window(mask)
        optical, radar = self._search(grid.crop(*window)) if mask.any() else ([], [])
        detail = TilePlan(
            grid=grid,
            mask=mask,
            window=window,
            optical=optical_year.usable_scenes(optical, self._settings.max_cloud),
            ascending=radar_year.usable_scenes(radar, "ascending"),
            descending=radar_year.usable_scenes(radar, "descending"),
            seconds={"plan": time.monotonic() - began},
        )
        return Plan(tile, detail.memory_bytes(self._settings.download_threads, cores()), detail)

    def download(self, plan: Plan, progress: Progress) -> Downloaded | None:
        """The cube of the land's window; None if there is no scene to read."""
        detail: TilePlan = plan.detail
        if not detail.scene_count:
            return None
        with _blaming_the_machine(f"this machine cannot hold the imagery of {plan.tile}"):
            return self._download(detail, progress)

    def prepare(self, plan: Plan, downloaded: Downloaded | None) -> Prepared:
        """Check the cube and take its digest, so that inference finds nothing left to do."""
        detail: TilePlan = plan.detail
        began = time.monotonic()
        cube = downloaded.cube if downloaded and _has_observations(downloaded.cube) else None
        if cube is not None:
            cube.check()
        prepared = PreparedTile(
            plan=detail,
            cube=cube,
            cube_sha256=cube.digest() if cube is not None else None,
            scenes=ScenesOfTile(
                found=detail.scene_count,
                used=downloaded.used if downloaded and cube is not None else [],
                losses=downloaded.losses if downloaded else [],
            ),
            seconds={**detail.seconds, "prepare": time.monotonic() - began},
        )
        return Prepared(
            tile=plan.tile,
            memory_bytes=min(plan.memory_bytes, detail.memory_bytes_with(cube)),
            downloaded_bytes=downloaded.wire_bytes if downloaded else 0,
            is_empty=cube is None,
            detail=prepared,
        )

    def infer(self, prepared: Prepared, progress: Progress, stop: threading.Event) -> Embedding:
        """The embedding of the land's window."""
        detail: PreparedTile = prepared.detail
        if detail.cube is None:
            raise AssertionError("an empty tile is not inferred")
        began = time.monotonic()
        embedding = self._engine.infer(detail.cube, detail.plan.land, progress=progress, stop=stop)
        detail.seconds["infer"] = time.monotonic() - began
        return embedding

    def write(self, prepared: Prepared, result: Embedding | None, folder: Path) -> Written:
        """The published files. The same cube and weights give the same bytes in all but the provenance."""
        detail: PreparedTile = prepared.detail
        with _blaming_the_machine(f"the files of {prepared.tile} could not be written to {folder}"):
            return self._write(prepared.tile, detail, result, folder)

    def selftest(self) -> None:
        """A small known inference. WorkerUnfit when it comes out wrong."""
        check_engine(self._engine, self._settings.source)

    def _download(self, detail: TilePlan, progress: Progress) -> Downloaded:
        began = time.monotonic()
        reads = TileReads(self._reader, detail.window_grid, self._settings.download_threads)
        steps = _Steps(detail.steps, progress)
        optics = OpticalReading(
            reads, detail.land, self._settings.source, self._settings.min_optical_coverage
        ).read_year(detail.optical, steps.advance)
        radar = RadarReading(reads, detail.land, self._settings.source, self._settings.min_radar_coverage)
        ascending = radar.read_year(detail.ascending, steps.advance)
        descending = radar.read_year(detail.descending, steps.advance)
        refuse_if_too_many(reads.losses, detail.scene_count, self._settings.max_lost_percent)
        detail.seconds["download"] = time.monotonic() - began
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
        return Downloaded(cube, used, reads.losses, reads.tally.wire_bytes)

    def _write(self, tile: TileId, detail: PreparedTile, result: Embedding | None, folder: Path) -> Written:
        return write_artifacts(
            TileResult(
                tile=tile,
                dataset=self._dataset,
                settings=self._settings,
                grid=detail.plan.grid,
                mask=detail.plan.mask,
                window=detail.plan.window,
                embedding=result,
                cube_sha256=detail.cube_sha256,
                weights=self._engine.weights,
                device=str(self._engine.device),
                scenes=detail.scenes,
                seconds=detail.seconds,
            ),
            folder,
        )

    def _search(self, grid: PixelGrid) -> tuple[list[Scene], list[Scene]]:
        year = int(self._dataset.period)
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


@contextmanager
def _blaming_the_machine(what: str) -> Iterator[None]:
    """A full disk or memory is no fault of the tile, and the next tile would meet it too."""
    try:
        yield
    except (OSError, MemoryError) as error:
        raise WorkerUnfit(f"{what}: {error}") from error


def _has_observations(cube: Cube) -> bool:
    return bool(len(cube.doys) or len(cube.sar_ascending_doy) or len(cube.sar_descending_doy))


def _load(context: RecipeContext, settings: TesseraSettings) -> Weights:
    if context.weights is None:
        if context.dataset.is_trained:
            raise WorkerUnfit(f"dataset {context.dataset.name} needs trained weights, this worker has none")
        return untrained_weights(settings.model)
    return load_weights(context.weights, settings.model, expected_sha256=context.dataset.weights_sha256)
