"""A small coast, and a dataset over it, for tests of where cubes come from."""

from __future__ import annotations

import numpy as np
import pyogrio.raw
import shapely

from consumer.recipe import Imagery, RecipeContext
from consumer.recipes.tessera.settings import TesseraSettings
from contract.dataset import Dataset
from contract.tile_id import parse_tile

TILE = parse_tile("grid_-4.55_54.15")
YEAR = 2024
SETTINGS = TesseraSettings.of({"model": "v2-nano", "resolution": 500.0, "keep_cubes": 2})


def write_land(path):
    """An island in the middle of the tile."""
    shape = shapely.to_wkb(np.array([shapely.box(-4.58, 54.12, -4.52, 54.18)], dtype=object))
    pyogrio.raw.write(path, shape, [], [], driver="FlatGeobuf", geometry_type="Polygon", crs="EPSG:4326")


def dataset(**changes) -> Dataset:
    values = {
        "recipe": "tessera",
        "code_version": "1",
        "period": str(YEAR),
        "parameters": {"model": "v2-nano", "dtype": "fp32", "resolution": 500.0},
        "weights_sha256": None,
        "is_trained": False,
        "boundaries_sha256": "0" * 64,
    }
    return Dataset(**{**values, **changes})


def context(land, tmp_path, cubes=None, **pins) -> RecipeContext:
    return RecipeContext(
        dataset=dataset(**pins),
        settings={},
        imagery=Imagery("http://127.0.0.1:9", "mpc"),
        weights=None,
        land=land,
        scratch=tmp_path,
        cube_store=cubes,
        cubes_folder=tmp_path / "cubes",
    )
