"""A model's weights, read safely from a checkpoint.

A checkpoint is a stranger's file. It is read without running code from it, limited in size, and
refused in one sentence unless every tensor of the model is there, finite and of the right shape.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from consumer.recipes.tessera.checkpoint import dimensions_of
from consumer.recipes.tessera.models import Dimensions, model_with, published_dimensions
from consumer.recipes.tessera.network import weight_shapes
from contract.errors import BadInput

MAX_FILE_BYTES = 8 * 2**30
"""Above this no Tessera checkpoint is known; training states with optimizers are larger."""
STATE_KEYS = {"v1.1": ("model_state", "model_state_dict"), "v2": ("model",)}
"""Where a family's checkpoints keep their tensors; the first that is there counts."""
SETTINGS_KEYS = {"v1.1": "config", "v2": "args"}
TRAINING_ONLY = ("projector.", "segmented_matryoshka_projector.")
"""Prefixes of tensors that only training used."""
COMPILED_PREFIX = "_orig_mod."
"""Written in front of every name when a compiled network was saved."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Float32 tensors of one model, with what must be known and recorded about them."""

    model: str
    dimensions: Dimensions
    state: Mapping[str, Tensor]
    sha256: str
    """Of the checkpoint's bytes; for untrained weights of names and content (untrained.content_sha256)."""
    is_trained: bool
    data_source: str | None = None
    """Imagery provider that the checkpoint was trained on, mpc or aws; None = not told."""


def load_weights(
    path: Path, model: str, *, data_source: str | None = None, expected_sha256: str | None = None
) -> Weights:
    """Read a released checkpoint of the model.

    BadInput, in one sentence: no such file or model, too large, not the expected digest, not readable
    without running code from it, tensors missing, left over, misshapen or not finite, another model's.
    """
    published_dimensions(model)
    sha256 = _file_sha256(path)
    if expected_sha256 is not None and sha256 != expected_sha256.lower():
        raise BadInput(
            f"{path} has SHA-256 {sha256}, expected {expected_sha256}: use the pinned weights file"
        )
    family = published_dimensions(model).family
    checkpoint = _read_checkpoint(path)
    state = _tensors(checkpoint, STATE_KEYS[family], path, model)
    settings = _settings(checkpoint.get(SETTINGS_KEYS[family]))
    dimensions = dimensions_of(
        {name: tuple(tensor.shape) for name, tensor in state.items()}, settings, model=model, path=path
    )
    _refuse_another_model(dimensions, model, path)
    _check_names_and_shapes(state, dimensions, path)
    return Weights(
        model, dimensions, _as_float32(state, path), sha256, is_trained=True, data_source=data_source
    )


def _file_sha256(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise BadInput(f"{path} has {size} bytes, more than the {MAX_FILE_BYTES} that weights may have")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"the weights file {path} cannot be read: {error.strerror}") from error


def _read_checkpoint(path: Path) -> dict[str, Any]:
    """The file's top-level dict. Its tensors stay on disk until used: most files hold more than we take."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # plain attributes, no code
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        raise BadInput(
            f"{path} holds more than tensors and plain values, or is no torch file; nothing in it was run: "
            f"save its state dict and settings alone ({_reason(error)})"
        ) from error
    except Exception as error:  # torch meets malformed bytes with anything from IndexError to struct.error
        raise BadInput(
            f"{path} is no complete torch checkpoint, fetch it again ({_reason(error)})"
        ) from error
    if not isinstance(checkpoint, dict):
        raise BadInput(
            f"{path} holds a {type(checkpoint).__name__}, expected the dict of a Tessera checkpoint"
        )
    return checkpoint


def _is_zip(path: Path) -> bool:
    """Torch's format since 1.6; only this one can stay on disk while it is read."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _reason(error: Exception) -> str:
    """The sentence of a long report that names what was met, or its first one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line for line in lines if "Unsupported" in line), lines[0]).split(". ")[0][:160]


def _tensors(checkpoint: dict[str, Any], keys: tuple[str, ...], path: Path, model: str) -> dict[str, Tensor]:
    """The model's own tensors by the names of our network."""
    found = next((checkpoint[key] for key in keys if key in checkpoint), None)
    if not isinstance(found, Mapping):
        names = ", ".join(str(key)[:40] for key in list(checkpoint)[:5])
        raise BadInput(
            f"{path} is no checkpoint of {model}: it has no {' or '.join(keys)}, only {names or 'nothing'}"
        )
    state = {str(name).removeprefix(COMPILED_PREFIX): tensor for name, tensor in found.items()}
    state = {name: tensor for name, tensor in state.items() if not name.startswith(TRAINING_ONLY)}
    wrong = next((name for name, tensor in state.items() if not _is_plain_tensor(tensor)), None)
    if wrong is not None:
        raise BadInput(f"{path} holds something else than a dense tensor of numbers under {wrong[:80]!r}")
    return state


def _is_plain_tensor(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.is_floating_point()


def _settings(value: object) -> dict[str, Any]:
    """Training settings as a dict; the v2 students' may be a saved argparse result."""
    if isinstance(value, argparse.Namespace):
        return dict(vars(value))
    return {str(key): entry for key, entry in value.items()} if isinstance(value, Mapping) else {}


def _refuse_another_model(dimensions: Dimensions, model: str, path: Path) -> None:
    other = model_with(dimensions)
    if other is not None and other != model:
        raise BadInput(
            f"{path} has the sizes of {other}, not of {model}: ask for model {other} or another file"
        )


def _check_names_and_shapes(state: dict[str, Tensor], dimensions: Dimensions, path: Path) -> None:
    wanted = weight_shapes(dimensions)
    faults = {"missing": wanted.keys() - state.keys(), "unknown": state.keys() - wanted.keys()}
    for fault, names in faults.items():
        if names:
            raise BadInput(
                f"{path} is another model's: {len(names)} of its tensors are {fault}, such as {min(names)[:80]}"
            )
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            raise BadInput(f"{path}: {name} has shape {tuple(state[name].shape)}, expected {shape}")


def _as_float32(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Copies in memory, so that the file may go or change afterwards."""
    copies = {name: tensor.to(torch.float32, copy=True).contiguous() for name, tensor in state.items()}
    for name, tensor in copies.items():
        if not bool(torch.isfinite(tensor).all()):
            raise BadInput(f"{path}: {name} holds values that are not finite: fetch the file again")
    return copies
