"""The Tessera models by name, and the dimensions that were published for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from contract.errors import BadInput

Family = Literal["v1.1", "v2"]
"""Which network, sampling rule, statistics and rounding apply: v1.1, or the v2 students."""

OPTICAL_VALUES = 10
RADAR_VALUES = 2
SAVED_DIMENSIONS = 128
"""A published embedding has at most so many dimensions, whatever the network's own width."""
SEQUENCE_LENGTHS = tuple(range(8, 257, 8))
"""Lengths to which a pixel's observations are resampled: 8, 16, ..., 256."""


@dataclass(frozen=True)
class Backbone:
    """The transformer over one sensor's observations."""

    layers: int
    heads: int
    feedforward: int


@dataclass(frozen=True)
class Dimensions:
    """Everything that fixes the shapes of a network and how its input is sampled."""

    family: Family
    width: int
    """d, the size of a token; four times the latent_dim of the training configuration."""
    optical: Backbone
    radar: Backbone
    representation: int
    """Size of the network's output; the first `saved` of it are published."""
    qk_norm: bool = False
    """Queries and keys are RMS-normalised per head (some v2 students)."""
    sequence_lengths: tuple[int, ...] = SEQUENCE_LENGTHS

    @property
    def saved(self) -> int:
        return min(self.representation, SAVED_DIMENSIONS)


def _student(*, width: int, layers: int, feedforward: int) -> Dimensions:
    backbone = Backbone(layers=layers, heads=4, feedforward=feedforward)
    return Dimensions("v2", width, optical=backbone, radar=backbone, representation=128)


_V1_BACKBONE = Backbone(layers=4, heads=4, feedforward=2048)

PUBLISHED: dict[str, Dimensions] = {
    "v1.1": Dimensions("v1.1", 768, optical=_V1_BACKBONE, radar=_V1_BACKBONE, representation=192),
    # Nano and large follow from the published parameter counts; small equals upstream's defaults.
    "v2-nano": _student(width=64, layers=6, feedforward=512),
    "v2-small": _student(width=256, layers=4, feedforward=1024),
    # A stand-in: 21.03 M parameters also fit d = 480, 2 layers, 3840. A checkpoint's own sizes win.
    "v2-medium": _student(width=512, layers=3, feedforward=1920),
    "v2-large": _student(width=640, layers=4, feedforward=2560),
}

MODELS = tuple(PUBLISHED)


def published_dimensions(model: str) -> Dimensions:
    """The published sizes of the model; BadInput lists the models if there is none of that name."""
    try:
        return PUBLISHED[model]
    except KeyError:
        raise BadInput(f"there is no Tessera model {model!r}: choose one of {', '.join(MODELS)}") from None


def model_with(dimensions: Dimensions) -> str | None:
    """The published model that has exactly these sizes, whether or not it normalises q and k."""
    plain = replace(dimensions, qk_norm=False)
    return next((model for model, published in PUBLISHED.items() if published == plain), None)
