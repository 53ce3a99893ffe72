"""The dimensions of a checkpoint, read from its tensors' shapes and its training settings.

Shapes are what the network will meet, so they decide; settings add what shapes cannot show (heads,
sequence lengths) and must not contradict them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consumer.recipes.tessera.models import SEQUENCE_LENGTHS, Backbone, Dimensions, published_dimensions
from contract.errors import BadInput

Shapes = Mapping[str, tuple[int, ...]]

STUDENT_HEADS = 4
"""What upstream's loader assumes when a student's checkpoint does not tell."""
LARGEST_WIDTH = 4096
"""A bound on d and on the feed-forward width / 4: shapes come from a file that we did not write."""


def dimensions_of(shapes: Shapes, settings: Mapping[str, Any], *, model: str, path: Path) -> Dimensions:
    """What network the checkpoint is for; BadInput if it contradicts itself or misses what tells."""
    published = published_dimensions(model)
    reader = _Reader(shapes, settings, model, path)
    width = reader.size("s2_backbone.embedding.2.weight", axis=0)
    qk_norm = any(".q_norm." in name for name in shapes)
    reader.agree("latent_dim", width // 4)
    if published.family == "v1.1":
        optical = reader.backbone("s2_backbone", "s2_", published.optical.heads, width)
        radar = reader.backbone("s1_backbone", "s1_", published.radar.heads, width)
    else:
        optical = reader.backbone("s2_backbone", "", STUDENT_HEADS, width)
        radar = reader.backbone("s1_backbone", "", STUDENT_HEADS, width)
        reader.agree("enable_qk_norm", qk_norm)
    representation = reader.size("dim_reducer.4.weight", axis=0)
    reader.agree("representation_dim" if published.family == "v1.1" else "repr_dim", representation)
    lengths = reader.sequence_lengths() if published.family == "v1.1" else SEQUENCE_LENGTHS
    return Dimensions(published.family, width, optical, radar, representation, qk_norm, lengths)


class _Reader:
    """Reads one checkpoint's numbers; every refusal names file and setting."""

    def __init__(self, shapes: Shapes, settings: Mapping[str, Any], model: str, path: Path) -> None:
        self._shapes = shapes
        self._settings = settings
        self._model = model
        self._path = path

    def size(self, name: str, *, axis: int) -> int:
        shape = self._shapes.get(name, ())
        if len(shape) != 2:
            raise BadInput(f"{self._path} is no checkpoint of {self._model}: it has no matrix {name}")
        if not 0 < shape[axis] <= 4 * LARGEST_WIDTH:
            raise BadInput(f"{self._path}: {name} has shape {shape}, larger than any Tessera model")
        return shape[axis]

    def agree(self, setting: str, measured: int) -> None:
        """A setting that is there must say what the tensors say."""
        declared = self._settings.get(setting, measured)
        if declared != measured:
            raise BadInput(f"{self._path} says {setting} = {declared!r}, but its tensors say {measured}")

    def backbone(self, name: str, prefix: str, default_heads: int, width: int) -> Backbone:
        layer = re.compile(rf"{name}\.transformer_encoder\.(?:layers\.)?(\d+)\.linear1\.weight")
        found = {match[0]: int(match[1]) for key in self._shapes if (match := layer.fullmatch(key))}
        if sorted(found.values()) != list(range(len(found))) or not found:
            raise BadInput(f"{self._path} is no checkpoint of {self._model}: layers of {name} are missing")
        feedforward = self.size(next(iter(found)), axis=0)
        self.agree(f"{prefix}num_layers", len(found))
        self.agree(f"{prefix}dim_feedforward", feedforward)
        heads = self._settings.get(f"{prefix}num_heads" if prefix else "nhead", default_heads)
        if not isinstance(heads, int) or heads < 1 or width % heads:
            raise BadInput(f"{self._path}: {heads!r} heads do not divide a width of {width}")
        return Backbone(layers=len(found), heads=heads, feedforward=feedforward)

    def sequence_lengths(self) -> tuple[int, ...]:
        declared = self._settings.get("num_obs_checkpoints", SEQUENCE_LENGTHS)
        good = isinstance(declared, list | tuple) and all(isinstance(length, int) for length in declared)
        lengths = tuple(sorted(set(declared))) if good else ()
        if not lengths or not 0 < lengths[0] <= lengths[-1] <= LARGEST_WIDTH:
            raise BadInput(
                f"{self._path} has num_obs_checkpoints = {str(declared)[:80]}, expected a list of lengths"
            )
        return lengths
