"""What a recipe owes the pipeline: plan -> download -> prepare -> infer -> write, each a plain method.

The pipeline calls `plan`, `download` and `prepare` in one of several download threads, `infer` in
the one inference thread (never twice at once, never touching the network) and `write` in an upload
thread. A recipe holds nothing about queues, leases or commits. Errors are those of contract.errors:
TryLater (source), GiveUp (tile), WorkerUnfit (machine), Stopped; anything else counts as the tile's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from consumer.checkpoints.blocks import Blocks, Fingerprint
from consumer.cube_store import CubeStore
from contract.dataset import Dataset
from contract.recipe import ParameterValue
from contract.tile_id import TileId

Progress = Callable[[float], None]
"""Called with the share done, 0..1, often enough to show that the stage is alive."""


@dataclass(frozen=True, slots=True)
class Imagery:
    """Where scenes are looked up, from the fleet's settings: the same dataset may be read from a mirror."""

    stac_url: str
    source: str
    """`mpc` or `aws`: asset names, offsets and statistics follow from it."""


@dataclass(frozen=True, slots=True)
class RecipeContext:
    """What a recipe gets from the worker, once per dataset."""

    dataset: Dataset
    settings: Mapping[str, ParameterValue]
    """All parameters of the recipe with their values."""
    imagery: Imagery
    weights: Path | None
    """The weights file, its digest already checked; None: untrained or none used."""
    land: Path
    """Land polygons (FlatGeobuf, EPSG:4326) of the boundaries that the dataset pins."""
    scratch: Path
    """A folder that may vanish with the machine."""
    device: str = "cpu"
    threads: int = 1
    """CPU threads that this worker may use for inference."""
    cube_store: CubeStore | None = None
    """Prepared tiles of earlier attempts and other models; None: there is no storage."""
    cubes_folder: Path | None = None
    """Where this machine has prepared tiles that other tools made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tile needs, known from the catalogue alone."""

    tile: TileId
    memory_bytes: int
    """Most that download, prepare and infer will hold at once: reserved before the download begins."""
    detail: Any
    """The recipe's own."""
    inputs: Any = None
    """What the tile is made from, as JSON, for a recipe that offers checkpoints: see Checkpointing.plan_like."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tile ready for inference."""

    tile: TileId
    memory_bytes: int
    """Held while it waits; at most the plan's."""
    downloaded_bytes: int
    is_empty: bool
    """No usable imagery, by a search that succeeded: an outcome, not an error."""
    detail: Any
    blocks: Blocks | None = None
    """For a recipe that offers checkpoints; None: the tile is inferred whole or not at all."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of the result."""

    name: str
    """Its path below the dataset's root, as published."""
    path: Path


@dataclass(frozen=True, slots=True)
class Written:
    """What `write` leaves for the upload."""

    artifacts: Sequence[Artifact]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """JSON: scenes used and lost, digests, versions, seconds; kept in the commit."""


class Recipe(Protocol):
    """One recipe, opened for one dataset."""

    def __init__(self, context: RecipeContext) -> None:
        """Load weights and models. WorkerUnfit when this worker cannot match the dataset's pins."""
        ...

    def plan(self, tile: TileId) -> Plan:
        """Ask the catalogue. TryLater when it does not answer properly."""
        ...

    def download(self, plan: Plan, progress: Progress) -> Any:
        """Read the imagery."""
        ...

    def prepare(self, plan: Plan, downloaded: Any) -> Prepared:
        """Everything on the CPU that inference should not wait for."""
        ...

    def infer(self, prepared: Prepared, progress: Progress, stop: threading.Event) -> Any:
        """The result in memory. Stopped, within two seconds, once `stop` is set."""
        ...

    def write(self, prepared: Prepared, result: Any, folder: Path) -> Written:
        """Encode the artifacts into `folder` (`result` is None for an empty tile)."""
        ...

    def selftest(self) -> None:
        """A small known inference. WorkerUnfit when it comes out wrong."""
        ...


@runtime_checkable
class Checkpointing(Protocol):
    """What a recipe has beside, whose inference runs block by block: an interrupted attempt leaves its blocks.

    Its `prepare` makes `Prepared.blocks`, with everything in the fingerprint that a block's bytes follow from.
    Its `infer` puts `blocks.take_restored()` in its place, goes on with the block after those, and calls
    `blocks.finish` after each one, with views that nobody writes to any more. Progress counts the whole tile,
    and its first report, before any work of its own, says how much of it was restored.
    """

    def fingerprint(self) -> Fingerprint | None:
        """As much of it as is known before any tile is planned; None: its tiles have no blocks after all."""
        ...

    def plan_like(self, plan: Plan, inputs: Any) -> Plan | None:
        """This plan with another attempt's `inputs` and no others, as they were read from a checkpoint.
        None when they are not all to be had any more."""
        ...
