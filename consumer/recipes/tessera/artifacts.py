"""A tile's files, in the published layout: embedding, scales, digests, land mask, preview, provenance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.pixel_grid import PixelGrid
from consumer.recipe import Artifact, Written
from consumer.recipes.tessera.declaration import CODE_VERSION
from consumer.recipes.tessera.engine import Embedding
from consumer.recipes.tessera.land_mask import write_land_mask
from consumer.recipes.tessera.layout import TileNames, file_name
from consumer.recipes.tessera.preview import preview_image, write_preview
from consumer.recipes.tessera.provenance import ScenesOfTile, versions
from consumer.recipes.tessera.settings import TesseraSettings
from consumer.recipes.tessera.weights import Weights
from contract.dataset import UNTRAINED, Dataset
from contract.errors import GiveUp
from contract.tile_id import GridCell, TileId


@dataclass(frozen=True, slots=True)
class TileResult:
    """All that the files say."""

    tile: TileId
    dataset: Dataset
    settings: TesseraSettings
    grid: PixelGrid
    mask: NDArray[np.uint8]
    """(H, W) of the grid, 1 = land."""
    window: tuple[slice, slice]
    """Where the embedding lies on the grid."""
    embedding: Embedding | None
    """None: no land, or no usable imagery."""
    cube_sha256: str | None
    weights: Weights
    device: str
    scenes: ScenesOfTile
    seconds: Mapping[str, float]

    @property
    def names(self) -> TileNames:
        if not isinstance(self.tile, GridCell):
            raise GiveUp(f"{self.tile} is no 0.1-degree cell: it has no place in this layout")
        return TileNames(self.tile, self.dataset.period)


def write_artifacts(result: TileResult, folder: Path) -> Written:
    """Every file of the tile into the folder. An empty tile has only its land mask and its provenance."""
    facts = _facts(result)
    artifacts = [_write_mask(result, folder)]
    if result.embedding is not None:
        quantised, scales = on_whole_grid(result.embedding, result.grid, result.window)
        artifacts += _write_embedding(result.names, quantised, scales, folder)
        artifacts.append(_write_preview(result, quantised, scales, folder))
    provenance = folder / file_name(result.names.provenance)
    provenance.write_text(
        json.dumps({**facts, "scenes": result.scenes.full()}, indent=1, sort_keys=True) + "\n",
        encoding="utf-8",
    )
    artifacts.append(Artifact(result.names.provenance, provenance))
    return Written(artifacts, provenance={**facts, "scenes": result.scenes.summary()})


def on_whole_grid(
    embedding: Embedding, grid: PixelGrid, window: tuple[slice, slice]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(H, W, D) and (H, W) of the whole tile, 0 outside the window."""
    quantised = np.zeros((*grid.shape, embedding.quantised.shape[2]), dtype=np.int8)
    scales = np.zeros(grid.shape, dtype=np.float32)
    quantised[window] = embedding.quantised
    scales[window] = embedding.scales
    return quantised, scales


def _write_embedding(
    names: TileNames, quantised: NDArray[np.int8], scales: NDArray[np.float32], folder: Path
) -> list[Artifact]:
    artifacts = []
    lines = []
    for name, array in ((names.embedding, quantised), (names.scales, scales)):
        path = folder / file_name(name)
        np.save(path, array, allow_pickle=False)
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
        artifacts.append(Artifact(name, path))
    digests = folder / file_name(names.digests)
    digests.write_text("".join(lines), encoding="ascii")
    return [*artifacts, Artifact(names.digests, digests)]


def _write_mask(result: TileResult, folder: Path) -> Artifact:
    path = folder / file_name(result.names.land_mask)
    tags = {
        "TILEFLEET_COAST_MARGIN_METRES": f"{result.settings.coast_margin_metres:g}",
        "TILEFLEET_BOUNDARIES_SHA256": result.dataset.boundaries_sha256,
        "TILEFLEET_MODEL": _model_label(result),
    }
    write_land_mask(path, result.mask, result.grid, tags)
    return Artifact(result.names.land_mask, path)


def _write_preview(
    result: TileResult, quantised: NDArray[np.int8], scales: NDArray[np.float32], folder: Path
) -> Artifact:
    path = folder / file_name(result.names.preview)
    weights = result.weights
    picture = preview_image(quantised, scales, weights.model, is_trained=weights.is_trained)
    texts = {
        "Title": f"{result.tile} {result.dataset.period}",
        "Description": f"Tessera {_model_label(result)}, dimensions 0 to 2",
        "Source": result.dataset.name,
    }
    write_preview(picture, path, texts)
    return Artifact(result.names.preview, path)


def _facts(result: TileResult) -> dict[str, Any]:
    return {
        "tile": result.tile.name,
        "dataset": result.dataset.name,
        "period": result.dataset.period,
        "model": _model_label(result),
        "is_trained": result.weights.is_trained,
        "code_version": CODE_VERSION,
        "parameters": dict(result.dataset.parameters),
        "weights_sha256": result.weights.sha256,
        "cube_sha256": result.cube_sha256,
        "land_mask_sha256": hashlib.sha256(np.ascontiguousarray(result.mask).data).hexdigest(),
        "boundaries_sha256": result.dataset.boundaries_sha256,
        "grid": {
            "crs": result.grid.crs,
            "left": result.grid.left,
            "top": result.grid.top,
            "resolution": result.grid.resolution,
            "height": result.grid.height,
            "width": result.grid.width,
        },
        "land_pixels": int(np.count_nonzero(result.mask)),
        "pixels_with_value": _pixels_with_value(result.embedding),
        "device": result.device,
        "dtype": result.settings.dtype,
        "versions": dict(versions()),
        "seconds": {step: round(seconds, 3) for step, seconds in result.seconds.items()},
    }


def _pixels_with_value(embedding: Embedding | None) -> int:
    return int(np.count_nonzero(embedding.scales)) if embedding is not None else 0


def _model_label(result: TileResult) -> str:
    """`v1.1`, or `v1.1 untrained`: no file may pass for a real one."""
    return result.weights.model if result.weights.is_trained else f"{result.weights.model} {UNTRAINED}"
