"""The tessera recipe: a tile's land and scenes, its cube, its embedding, its files.

Reads from top to bottom as a tile goes: plan -> download -> prepare -> infer -> write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from consumer.checkpoints.blocks import Fingerprint
from consumer.imagery.cube import Cube
from consumer.recipe import Plan, Prepared, Progress, RecipeContext, Written
from consumer.recipes.tessera.artifacts import TileResult, write_artifacts
from consumer.recipes.tessera.choose_source import choose_source
from consumer.recipes.tessera.download import Downloaded
from consumer.recipes.tessera.engine import Dtype, Embedding, Engine
from consumer.recipes.tessera.fingerprint import blocks_of_tile, engine_fingerprint
from consumer.recipes.tessera.provenance import CATALOGUE, ScenesOfTile
from consumer.recipes.tessera.selftest import check_engine
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.tile_plan import TilePlan
from consumer.recipes.tessera.untrained import untrained_weights
from consumer.recipes.tessera.weights import Weights, load_weights
from contract.errors import BadInput, WorkerUnfit
from contract.tile_id import TileId


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
            self._source = choose_source(context, self._settings)
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

    def plan(self, tile: TileId) -> Plan:
        """The tile's land, and a cube that is ready or every scene of the year over it."""
        detail = self._source.plan(tile, int(self._dataset.period), self._land_file)
        return Plan(tile, self._source.memory_bytes(detail), detail, inputs=detail.scene_list)

    def fingerprint(self) -> Fingerprint:
        """Of every block that this worker makes of the dataset's tiles."""
        return engine_fingerprint(self._engine, self._dataset)

    def plan_like(self, plan: Plan, inputs: Any) -> Plan | None:
        """The plan with those scenes only; None if the catalogue has one of them no more. A cube that is
        ready stays: its digest will tell."""
        detail = cast("TilePlan", plan.detail).limited_to(inputs)
        if detail is None:
            return None
        return Plan(plan.tile, self._source.memory_bytes(detail), detail, inputs=detail.scene_list)

    def download(self, plan: Plan, progress: Progress) -> Downloaded | None:
        """The cube of the land's window; None if there is no scene to read."""
        detail: TilePlan = plan.detail
        if not detail.has_imagery:
            return None
        with _blaming_the_machine(f"this machine cannot hold the imagery of {plan.tile}"):
            return self._source.download(detail, progress)

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
                left_out=detail.left_out,
                refusals=downloaded.refusals if downloaded else {},
                origin=detail.ready.origin if detail.ready else CATALOGUE,
            ),
            seconds={**detail.seconds, "prepare": time.monotonic() - began},
        )
        return Prepared(
            tile=plan.tile,
            memory_bytes=min(plan.memory_bytes, detail.memory_bytes_with(cube)),
            downloaded_bytes=downloaded.wire_bytes if downloaded else 0,
            is_empty=cube is None,
            detail=prepared,
            blocks=blocks_of_tile(
                self._engine,
                self._dataset,
                cube,
                prepared.cube_sha256 or "",
                detail.land,
                prepared.scenes.used,
            )
            if cube is not None
            else None,
        )

    def infer(self, prepared: Prepared, progress: Progress, stop: threading.Event) -> Embedding:
        """The embedding of the land's window."""
        detail: PreparedTile = prepared.detail
        if detail.cube is None:
            raise AssertionError("an empty tile is not inferred")
        began = time.monotonic()
        embedding = self._engine.infer(
            detail.cube, detail.plan.land, progress=progress, stop=stop, finished=prepared.blocks
        )
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
