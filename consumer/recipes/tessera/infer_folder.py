"""One prepared tile from a folder to files, without queue or cloud: what `consumer infer` runs.

Everything that can be wrong with the request, the arrays or the weights is found before any inference.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from consumer.imagery.cube import SUBFOLDERS, Cube
from consumer.recipe_tools import FolderRequest
from consumer.recipes.tessera.declaration import CODE_VERSION
from consumer.recipes.tessera.engine import Dtype, Embedding, Engine
from consumer.recipes.tessera.models import published_dimensions
from consumer.recipes.tessera.untrained import untrained_weights
from consumer.recipes.tessera.weights import Weights, load_weights
from contract.errors import BadInput, GiveUp, WorkerUnfit

SOURCES = ("mpc", "aws")
DTYPES = ("fp32", "bf16")
DEFAULT_SOURCE = "mpc"


def open_folder(request: FolderRequest) -> TesseraFolder:
    """The folder, checked, with its model on the device; BadInput for everything that is not in order."""
    family = published_dimensions(request.model).family
    if request.dtype not in DTYPES:
        raise BadInput(f"there is no dtype {request.dtype!r}: choose {' or '.join(DTYPES)}")
    _check_weights_choice(request)
    source, notes = choose_source(request) if family == "v1.1" else (DEFAULT_SOURCE, _student_notes(request))
    cube = read_cube(request.folder)
    weights = _weights(request, source)
    if not weights.is_trained:
        notes = (*notes, "the weights are untrained: the numbers mean nothing")
    _check_room(request, cube, weights)
    try:
        engine = Engine(
            weights,
            data_source=source,
            device=request.device,
            dtype=cast("Dtype", request.dtype),
            threads=request.threads,
        )
    except WorkerUnfit as error:
        raise BadInput(f"{error}; try --device cpu") from error
    return TesseraFolder(request, cube, engine, source if family == "v1.1" else None, notes)


class TesseraFolder:
    """Implements consumer.recipe_tools.FolderInference."""

    def __init__(
        self, request: FolderRequest, cube: Cube, engine: Engine, source: str | None, notes: tuple[str, ...]
    ) -> None:
        self.name = request.folder.resolve().name
        self.pixels = cube.height * cube.width
        self.notes = notes
        self._request = request
        self._cube = cube
        self._engine = engine
        self._source = source
        self._embedding: Embedding | None = None
        self._seconds = 0.0

    def infer(self, progress: Callable[[float], None], stop: threading.Event) -> None:
        """The embedding of every pixel; Stopped between two batches once `stop` is set."""
        began = time.monotonic()
        self._embedding = self._engine.infer(
            self._cube, keep_floats=self._request.keep_floats, progress=progress, stop=stop
        )
        self._seconds = time.monotonic() - began

    def write(self) -> list[Path]:
        """int8 (H, W, D), float32 scales (H, W), perhaps the floats, and what they were made with."""
        if self._embedding is None:
            raise AssertionError("writing follows inference")
        arrays: dict[str, NDArray[Any]] = {
            f"{self.name}.npy": self._embedding.quantised,
            f"{self.name}_scales.npy": self._embedding.scales,
        }
        if self._embedding.floats is not None:
            arrays[f"{self.name}_float.npy"] = self._embedding.floats
        paths = []
        for name, array in arrays.items():
            path = self._request.output / name
            with written_atomically(path) as file:
                npy_format.write_array(file, array, allow_pickle=False)
            paths.append(path)
        path = self._request.output / f"{self.name}.json"
        with written_atomically(path) as file:
            file.write((json.dumps(self._provenance(), indent=1) + "\n").encode())
        return [*paths, path]

    def _provenance(self) -> dict[str, object]:
        weights = self._engine.weights
        return {
            "recipe": "tessera",
            "code_version": CODE_VERSION,
            "model": weights.model,
            "weights_sha256": weights.sha256,
            "untrained": not weights.is_trained,
            "data_source": self._source,
            "device": str(self._engine.device),
            "dtype": self._engine.dtype,
            "torch": str(torch.__version__),
            "cube_sha256": self._cube.digest(),
            "pixels": self.pixels,
            "seconds": round(self._seconds, 3),
        }


def choose_source(request: FolderRequest) -> tuple[str, tuple[str, ...]]:
    """Whose statistics a v1.1 model gets, and the sentence that says so.

    The two published checkpoints look alike and the wrong statistics give plausible, wrong maps. The file's
    name is all there is to tell them apart: it decides when nothing was said and must not contradict what was.
    """
    if request.data_source not in (None, *SOURCES):
        raise BadInput(f"there is no data source {request.data_source!r}: choose {' or '.join(SOURCES)}")
    words = set(re.split(r"[^a-z0-9]+", request.weights.name.lower())) if request.weights else set()
    named = [source for source in SOURCES if source in words]
    told = named[0] if len(named) == 1 else None
    if request.data_source and told and told != request.data_source:
        raise BadInput(
            f"{request.weights} is named after {told}, but --data-source says {request.data_source}: "
            f"use the {request.data_source} checkpoint, or rename the file if its name is wrong"
        )
    source = request.data_source or told or DEFAULT_SOURCE
    why = "as asked" if request.data_source else "from the weights' name" if told else "the default"
    note = (
        f"v1.1 with the statistics of {source} imagery ({why}): "
        f"weights and tile must both be made for {source}, else say --data-source"
    )
    return source, (note,)


def read_cube(folder: Path) -> Cube:
    """The prepared tile; BadInput names the array that is missing, damaged or not as promised."""
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}: --input names a prepared tile's folder")
    for field in fields(Cube):
        for below in SUBFOLDERS:
            path = folder / below / f"{field.name}.npy"
            if path.is_file():
                _refuse_not_numbers(path)
    try:
        return Cube.load(folder)
    except GiveUp as error:
        raise BadInput(f"{folder} is no prepared tile: {error}") from error


def _refuse_not_numbers(path: Path) -> None:
    """NaN has no place in these arrays, and its own sentence."""
    with path.open("rb") as file:
        if not file.read(6).startswith(b"\x93NUMPY"):
            raise BadInput(f"{path} is no NumPy array file: prepare the tile again")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise BadInput(f"{path} cannot be read as a NumPy array, prepare the tile again: {error}") from error
    if array.dtype.kind == "f" and (count := int(np.isnan(array).sum())):
        raise BadInput(f"{path} holds {count} NaN of {array.size} values: missing observations are 0 here")


def _check_weights_choice(request: FolderRequest) -> None:
    if request.weights is None and not request.is_untrained:
        raise BadInput("inference needs weights: give --weights FILE, or type --untrained to go without")
    if request.weights is not None and request.is_untrained:
        raise BadInput("--weights and --untrained exclude each other: give one of them")
    if request.weights is not None and not request.weights.is_file():
        raise BadInput(f"there is no weights file {request.weights}")


def _student_notes(request: FolderRequest) -> tuple[str, ...]:
    if request.data_source is None:
        return ()
    return (f"{request.model} has one set of statistics for all imagery: --data-source changes nothing",)


def _weights(request: FolderRequest, source: str) -> Weights:
    if request.weights is None:
        return untrained_weights(request.model)
    return load_weights(request.weights, request.model, data_source=source)


def _check_room(request: FolderRequest, cube: Cube, weights: Weights) -> None:
    """An output folder that cannot take the result is better found before the work than after it."""
    pixel_bytes = weights.dimensions.saved + 4
    if request.keep_floats:
        pixel_bytes += 4 * weights.dimensions.representation
    needed = cube.height * cube.width * pixel_bytes
    probe = request.output / f".{request.folder.resolve().name}.probe"
    try:
        request.output.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
        free = shutil.disk_usage(request.output).free
    except OSError as error:
        raise BadInput(f"nothing can be written to {request.output}: {error.strerror}") from error
    if free < needed:
        raise BadInput(f"{request.output} has {free} bytes free, the result needs {needed}: make room")


@contextmanager
def written_atomically(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
