"""Whether a downloaded artifact is what its name says, for the files that this project's recipes are known to write.

A file of another name is only compared with its commit; a recipe of one's own loses nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetctl.audit.faults import Fault, FaultKind

EMBEDDINGS_FOLDER = "global_0.1_degree_representation/"
SCALES_SUFFIX = "_scales.npy"
ROWS_AT_A_TIME = 64
"""A tile's embedding has hundreds of megabytes: it is mapped, and looked at in blocks of rows."""


def check_files(files: dict[str, Path]) -> list[Fault]:
    """What is wrong inside one tile's files, given by artifact name. An embedding without its scales is wrong."""
    faults: list[Fault] = []
    for name, path in files.items():
        if (
            not name.startswith(EMBEDDINGS_FOLDER)
            or not name.endswith(".npy")
            or name.endswith(SCALES_SUFFIX)
        ):
            continue
        scales_name = name.removesuffix(".npy") + SCALES_SUFFIX
        if scales_name not in files:
            faults.append(Fault(FaultKind.BAD_SCALES, scales_name, "the embedding has no scales"))
            continue
        faults += _check_pair(name, path, scales_name, files[scales_name])
    return faults


def _check_pair(name: str, path: Path, scales_name: str, scales_path: Path) -> list[Fault]:
    embedding, scales = _load(path), _load(scales_path)
    if embedding is None or embedding.ndim != 3 or embedding.dtype != np.int8:
        return [Fault(FaultKind.WRONG_SHAPE, name, f"{_describe(embedding)}, int8 (H, W, D) was expected")]
    if scales is None or scales.dtype != np.float32 or scales.shape != embedding.shape[:2]:
        expected = f"float32 {embedding.shape[:2]} was expected"
        return [Fault(FaultKind.WRONG_SHAPE, scales_name, f"{_describe(scales)}, {expected}")]
    faults = []
    if not _has_any(embedding):
        faults.append(Fault(FaultKind.ALL_ZERO, name, "every value is 0"))
    if not np.isfinite(scales).all() or (scales < 0).any():
        faults.append(Fault(FaultKind.BAD_SCALES, scales_name, "scales must be finite and not negative"))
    elif not scales.any():
        faults.append(Fault(FaultKind.ALL_ZERO, scales_name, "no pixel has a value"))
    return faults


def _has_any(embedding: NDArray[np.int8]) -> bool:
    starts = range(0, embedding.shape[0], ROWS_AT_A_TIME)
    return any(embedding[start : start + ROWS_AT_A_TIME].any() for start in starts)


def _load(path: Path) -> NDArray[Any] | None:
    """The mapped array; None when the file is no array of numbers."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError):
        return None


def _describe(array: NDArray[Any] | None) -> str:
    return "no array" if array is None else f"{array.dtype} {array.shape}"
