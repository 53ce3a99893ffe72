"""Regenerates the inputs of the golden Tessera results from their seeds.

The expected values are upstream's own output and lie outside the checkout; weights and tiles are not
stored anywhere, only the seeds and the digests that prove a regeneration right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.models import Backbone, Dimensions, published_dimensions
from consumer.recipes.tessera.untrained import untrained_weights
from consumer.recipes.tessera.weights import Weights

FOLDER = Path(__file__).parents[2] / "shared" / "tessera" / "golden"
PASS_PROBABILITY = np.array([0.15, 0.4, 0.7, 0.9])
"""How often a pixel is seen clear, one of these per pixel."""


@dataclass(frozen=True, eq=False)
class Golden:
    """One file: what to run (weights on a cube) and what must come out (arrays)."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]
    weights: Weights
    cube: Cube

    @property
    def data_source(self) -> str:
        return self.meta["src"]


@lru_cache(maxsize=2)
def golden(name: str) -> Golden:
    """The case of that name; skips the test where the folder is absent. Callers must not write to it."""
    arrays = arrays_of(name)
    meta = json.loads(str(arrays.pop("meta")))
    weights = untrained_weights(
        "v1.1" if meta["kind"] == "v11" else "v2-nano", seed=meta["wseed"], dimensions=_dimensions(meta)
    )
    return Golden(meta, arrays, weights, tile(meta))


def arrays_of(name: str) -> dict[str, np.ndarray]:
    path = FOLDER / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine")
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def tiny_weights(model: str, *, qk_norm: bool = False) -> Weights:
    """Seeded weights of the model's family, small enough for a test that needs no golden file."""
    dimensions = replace(
        published_dimensions(model),
        width=16,
        optical=Backbone(layers=2, heads=2, feedforward=24),
        radar=Backbone(layers=1, heads=4 if model == "v1.1" else 2, feedforward=32),
        representation=20,
        qk_norm=qk_norm,
    )
    return untrained_weights(model, seed=5, dimensions=dimensions)


def small_tile(height: int = 6, width: int = 7, dates: int = 20, seed: int = 11, **special: list) -> Cube:
    """A random tile; special: s2_special and s1_special as in a golden file's meta."""
    meta = {"tseed": seed, "H": height, "W": width, "T2": dates, "Ta": 5, "Td": 4}
    return tile({"s2_special": [], "s1_special": [], **meta, **special})


def _dimensions(meta: dict[str, Any]) -> Dimensions:
    settings = meta["cfg"]
    if meta["kind"] == "v11":
        base = published_dimensions("v1.1")
        optical, radar = (
            Backbone(
                layers=settings.get(f"{sensor}_num_layers", base.optical.layers),
                heads=settings.get(f"{sensor}_num_heads", base.optical.heads),
                feedforward=settings.get(f"{sensor}_dim_feedforward", base.optical.feedforward),
            )
            for sensor in ("s2", "s1")
        )
    else:
        base = published_dimensions("v2-nano")
        optical = radar = Backbone(settings["num_layers"], settings["nhead"], settings["dim_feedforward"])
    return replace(
        base,
        width=4 * settings.get("latent_dim", base.width // 4),
        optical=optical,
        radar=radar,
        representation=settings.get("representation_dim", base.representation),
        qk_norm=settings.get("enable_qk_norm", False),
    )


def tile(meta: dict[str, Any]) -> Cube:
    """A tile of random observations with special pixels; draws happen in the order written."""
    uniform = np.random.Generator(np.random.PCG64(meta["tseed"])).random
    height, width = meta["H"], meta["W"]
    dates, ascending_dates, descending_dates = meta["T2"], meta["Ta"], meta["Td"]
    doys, ascending_doy, descending_doy = (
        np.sort(np.floor(1 + 365 * uniform(count))) for count in (dates, ascending_dates, descending_dates)
    )
    clear = PASS_PROBABILITY[np.floor(4 * uniform((height, width))).astype(int)]
    masks = (uniform((dates, height, width)) < clear).astype(np.uint8)
    base = 500 + 3500 * uniform((1, height, width, 10))
    bands = np.floor(base + 4000 * uniform((dates, height, width, 10))).astype(np.uint16)
    ascending, descending = (
        _passes(uniform, (count, height, width)) for count in (ascending_dates, descending_dates)
    )
    for row, column, wanted in meta["s2_special"]:
        masks[:, row, column] = 0
        masks[_spread(wanted, dates), row, column] = 1
    for row, column, *wanted in meta["s1_special"]:
        for passes, count in zip((ascending, descending), wanted, strict=True):
            _keep_only(passes, row, column, count)
    return Cube(
        bands=bands,
        masks=masks,
        doys=doys.astype(np.uint16),
        sar_ascending=ascending,
        sar_ascending_doy=ascending_doy.astype(np.int16),
        sar_descending=descending,
        sar_descending_doy=descending_doy.astype(np.int16),
    )


def _passes(uniform: Any, shape: tuple[int, int, int]) -> np.ndarray:
    passes = np.floor(1000 + 6000 * uniform((*shape, 2))).astype(np.int16)
    passes[uniform(shape) < 0.15] = 0
    return passes


def _spread(count: int, dates: int) -> list[int]:
    return [(step * dates) // count for step in range(count)]


def _keep_only(passes: np.ndarray, row: int, column: int, count: int) -> None:
    """Leave `count` observations of one pixel, none of them 0; -1 leaves it as it is."""
    if count < 0:
        return
    kept = np.zeros(len(passes), dtype=bool)
    kept[_spread(count, len(passes))] = True
    series = passes[:, row, column]
    series[~kept] = 0
    series[kept & (series == 0).all(axis=1)] = 3000


def stage_batch(meta: dict[str, Any]) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(values, days) of three sequences per sensor, already normalised, for comparing a network's insides."""
    uniform = np.random.Generator(np.random.PCG64(meta["wseed"] + 50_000)).random

    def sensor(dates: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
        values = (3.4 * uniform((3, dates, channels)) - 1.7).astype(np.float32)
        days = np.sort(np.floor(1 + 365 * uniform((3, dates, 1))), axis=1)[..., 0].astype(np.int64)
        return values, days

    return sensor(24, 10), sensor(16, 2)
