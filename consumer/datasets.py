"""Datasets as this worker has them open: record read, recipe matched, weights and land fetched and checked."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from consumer.cube_store import CubeStore
from consumer.recipe import Imagery, Recipe, RecipeContext
from contract import artifact_names
from contract.blob_store import BlobStore
from contract.dataset import Dataset, decode_dataset
from contract.errors import BadInput, GiveUp, NotFound, WorkerUnfit
from contract.recipe import ParameterValue, find_recipe
from contract.tile_message import TileMessage

OPEN_AT_ONCE = 2
"""Each holds a model in memory; a worker mostly serves one."""
CHUNK_BYTES = 1024 * 1024

_Asked = tuple[str, frozenset[tuple[str, ParameterValue]]]
"""A dataset's name and a job's settings."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What this worker brings to every recipe."""

    stac_url: str
    cache_folder: Path
    scratch_folder: Path
    weights: Path | None
    device: str
    threads: int
    cubes_folder: Path | None = None


class OpenDatasets:
    """Opens each dataset once, for all threads."""

    def __init__(self, store: BlobStore, machine: Machine) -> None:
        self._store = store
        self._machine = machine
        self._cube_store = CubeStore(store, machine.scratch_folder)
        self._open: OrderedDict[_Asked, Recipe] = OrderedDict()
        self._lock = threading.Lock()

    def recipe(self, message: TileMessage, settings: Mapping[str, ParameterValue]) -> Recipe:
        """The recipe of the message's dataset. WorkerUnfit when this worker cannot match its pins;
        GiveUp when there is no such dataset."""
        # Two jobs of one dataset may differ in what does not change its bytes.
        asked = (message.dataset, frozenset(settings.items()))
        with self._lock:
            recipe = self._open.get(asked)
            if recipe is None:
                recipe = self._open_recipe(message.dataset, settings)
                self._open[asked] = recipe
                while len(self._open) > OPEN_AT_ONCE:
                    self._open.popitem(last=False)
            self._open.move_to_end(asked)
            return recipe

    def _open_recipe(self, name: str, settings: Mapping[str, ParameterValue]) -> Recipe:
        dataset = self._read(name)
        try:
            declaration = find_recipe(dataset.recipe)
        except BadInput as error:
            raise WorkerUnfit(f"dataset {name} needs recipe {dataset.recipe}: {error}") from error
        if declaration.code_version != dataset.code_version:
            raise WorkerUnfit(
                f"dataset {name} pins {dataset.recipe} code {dataset.code_version}, "
                f"this worker has {declaration.code_version}: install the pinned release"
            )
        land = self._machine.cache_folder / f"{dataset.boundaries_sha256}.fgb"
        self._fetch(artifact_names.boundaries(dataset.boundaries_sha256), land)
        context = RecipeContext(
            dataset=dataset,
            settings=settings,
            imagery=Imagery(self._machine.stac_url, str(dataset.parameters.get("source", ""))),
            weights=self._weights(dataset),
            land=land,
            scratch=self._machine.scratch_folder,
            device=self._machine.device,
            threads=self._machine.threads,
            cube_store=self._cube_store,
            cubes_folder=self._machine.cubes_folder,
        )
        try:
            recipe: Recipe = declaration.load()(context)
        except ImportError as error:
            raise WorkerUnfit(
                f"recipe {dataset.recipe} cannot be loaded here: {error}; install what it needs"
            ) from error
        recipe.selftest()  # before the first tile: a machine that reckons wrong must not touch one
        return recipe

    def _read(self, name: str) -> Dataset:
        try:
            dataset = decode_dataset(self._store.read(artifact_names.dataset_record(name)).data)
        except NotFound as error:
            raise GiveUp(f"there is no dataset {name}: its record is missing") from error
        except BadInput as error:
            raise GiveUp(str(error)) from error
        if dataset.name != name:
            raise GiveUp(f"the record of dataset {name} describes {dataset.name}")
        return dataset

    def _weights(self, dataset: Dataset) -> Path | None:
        """The weights file whose digest the dataset pins."""
        if dataset.weights_sha256 is None:
            if self._machine.weights is not None:
                raise WorkerUnfit(
                    f"wrong weights: dataset {dataset.name} is untrained, this worker has a weights file"
                )
            return None
        path = self._machine.weights
        if path is None:
            path = self._machine.cache_folder / dataset.weights_sha256
            self._fetch(artifact_names.weights(dataset.weights_sha256), path)
        try:
            found = file_sha256(path)
        except OSError as error:  # never the tile's fault
            raise WorkerUnfit(f"wrong weights: {path} cannot be read: {error.strerror}") from error
        if found != dataset.weights_sha256:
            if path != self._machine.weights:
                path.unlink(missing_ok=True)
            raise WorkerUnfit(
                f"wrong weights: dataset {dataset.name} pins {dataset.weights_sha256[:12]}, "
                f"this worker has {found[:12]} ({path.name})"
            )
        return path

    def _fetch(self, name: str, path: Path) -> None:
        """A blob into the cache, once per machine."""
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._store.download(name, path)
        except NotFound as error:
            raise GiveUp(f"{name} is missing in the container: enqueue again to upload it") from error


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
