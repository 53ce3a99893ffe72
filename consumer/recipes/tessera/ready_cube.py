"""A cube that was made before: what a plan says of it, and what it remembers of the scenes it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast, get_args

from consumer.imagery.cube import Cube
from consumer.imagery.losses import Loss, LossCause
from consumer.imagery.search import Scene
from consumer.recipes.tessera.provenance import describe


@dataclass(frozen=True, slots=True)
class CubeHistory:
    """Which scenes went into a cube, as far as anyone noted it."""

    scene_count: int = 0
    """Asked for."""
    used: Sequence[Scene] = ()
    losses: Sequence[Loss] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def encode(self) -> dict[str, Any]:
        """As JSON; scenes as provenance describes them, so without tokens."""
        return {
            "scene_count": self.scene_count,
            "used": [describe(scene) for scene in self.used],
            "losses": [[loss.scene, loss.cause, loss.detail] for loss in self.losses],
            "left_out": dict(self.left_out),
        }

    @classmethod
    def decode(cls, facts: Mapping[str, Any]) -> CubeHistory:
        """KeyError, TypeError or ValueError for what `encode` did not make."""
        return cls(
            scene_count=int(facts["scene_count"]),
            used=[_scene(fields) for fields in facts["used"]],
            losses=[_loss(*fields) for fields in facts["losses"]],
            left_out={str(why): int(count) for why, count in dict(facts["left_out"]).items()},
        )


@dataclass(frozen=True, eq=False, slots=True)
class ReadyCube:
    """Only needs to be read."""

    origin: str
    """Where it comes from, for the provenance."""
    memory_bytes: int
    """Most that reading it holds."""
    wire_bytes: int
    """Travelled to get it here."""
    history: CubeHistory
    read: Callable[[], Cube]
    """TryLater or GiveUp when it is not what it looked like."""


def _scene(fields: Mapping[str, Any]) -> Scene:
    """As far as provenance tells of it: the folder of its files stands for the files."""
    return Scene(
        id=str(fields["id"]),
        collection=str(fields["collection"]),
        acquired=datetime.fromisoformat(fields["acquired"]),
        assets={"folder": str(fields["href"])},
        cloud_percent=None,
        orbit=str(fields.get("orbit", "unknown")),
        baseline=fields.get("baseline"),
    )


def _loss(scene: str, cause: str, detail: str) -> Loss:
    if cause not in get_args(LossCause):
        raise ValueError(f"{cause!r} is no cause of a loss")
    return Loss(scene, cast("LossCause", cause), detail)
