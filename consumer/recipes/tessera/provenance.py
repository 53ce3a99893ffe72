"""What a tile was made from: enough to make it again, or to find every tile that a bad scene went into."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import rasterio

from consumer.imagery.losses import Loss, count_by_cause
from consumer.imagery.search import Scene
from consumer.imagery.sign import without_token

CATALOGUE = "catalogue"
"""The usual origin of a cube: the scenes that the catalogue named, read for this attempt."""


@dataclass(frozen=True, slots=True)
class ScenesOfTile:
    """What became of the catalogue's answer."""

    found: int
    used: Sequence[Scene]
    losses: Sequence[Loss]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Found beside those and not asked for, by why."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Requests repeated until they succeeded, by why they had been refused."""
    origin: str = CATALOGUE
    """What the cube was read from."""

    def summary(self) -> dict[str, Any]:
        """Counts, small enough for a commit record."""
        counts: dict[str, Any] = {
            "found": self.found,
            "used": len(self.used),
            "lost": dict(count_by_cause(self.losses)),
            "from": self.origin,
        }
        if self.left_out:
            counts["left_out"] = dict(self.left_out)
        if self.refusals:
            counts["refused_at_first"] = dict(self.refusals)
        return counts

    def full(self) -> dict[str, Any]:
        """Every scene by name."""
        return {
            **self.summary(),
            "scenes": [describe(scene) for scene in self.used],
            "losses": [
                {"scene": loss.scene, "cause": loss.cause, "detail": loss.detail}
                for loss in sorted(self.losses)
            ],
        }


def describe(scene: Scene) -> dict[str, Any]:
    """Its id, time and where its files lie, without tokens. A field that does not apply is left out."""
    fields = {
        "id": scene.id,
        "collection": scene.collection,
        "acquired": scene.acquired.isoformat(),
        "orbit": None if scene.orbit == "unknown" else scene.orbit,
        "baseline": scene.baseline,
        "href": common_address([without_token(href) for href in scene.assets.values()]),
    }
    return {name: value for name, value in fields.items() if value is not None}


def common_address(hrefs: Sequence[str]) -> str:
    """The folder that a scene's files share: ten addresses each of 300 scenes would outweigh the picture."""
    shared = os.path.commonprefix(list(hrefs))  # noqa: RUF071  letter by letter, then cut at a slash
    return shared[: shared.rfind("/") + 1]


@cache
def versions() -> Mapping[str, str]:
    """Of everything whose next release could change a byte."""
    return {
        "tilefleet": _version("tilefleet"),
        "python": platform.python_version(),
        "torch": _version("torch"),
        "numpy": np.__version__,
        "rasterio": rasterio.__version__,
        "gdal": rasterio.__gdal_version__,
        "pyproj": _version("pyproj"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"
