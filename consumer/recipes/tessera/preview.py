"""A picture of an embedding: its first three dimensions as red, green and blue, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from consumer.recipes.tessera.models import Family, published_dimensions
from consumer.recipes.tessera.quantise import dequantise
from contract.dataset import UNTRAINED


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which embedding values are black and which are full brightness, in red, green and blue."""

    centres: tuple[float, float, float]
    """Shown half bright."""
    half_range: float
    """So far above a centre is full, so far below is black."""


# One stretch for every tile of a model, never one per tile: neighbours must match along their edges.
# A student's 128 values are normalised per pixel to variance 1, so nearly all lie within 2.5 of 0. v1.1
# has no such bound; half of 127 steps of its usual scale is about 8.
TRAINED: dict[Family, Stretch] = {
    "v2": Stretch((0.0, 0.0, 0.0), 2.5),
    "v1.1": Stretch((0.0, 0.0, 0.0), 8.0),
}
# Seeded weights map all land to a small corner of the space. Measured on the laptop cloud's synthetic
# year: the medians of the first three dimensions over two tiles, and what holds 98 % of their values.
UNTRAINED_STRETCHES: dict[str, Stretch] = {
    "v1.1": Stretch((-0.05, 1.4, 0.3), 0.8),
    "v2-nano": Stretch((-1.0, 0.7, -0.6), 0.5),
    "v2-small": Stretch((-0.6, 1.35, -0.35), 0.7),
    "v2-medium": Stretch((-1.05, 1.2, -0.25), 0.7),
    "v2-large": Stretch((-0.5, 1.4, 1.5), 0.7),
}
MARK_HEIGHT_SHARE = 1 / 16
MARK_MIN_PIXELS = 10


def stretch_of(model: str, *, is_trained: bool) -> Stretch:
    """The one stretch of all tiles made with these weights."""
    return TRAINED[published_dimensions(model).family] if is_trained else UNTRAINED_STRETCHES[model]


def brightness(values: NDArray[np.float32], stretch: Stretch) -> NDArray[np.uint8]:
    """Embedding values (..., 3) -> 0..255."""
    centred = (values - np.asarray(stretch.centres, dtype=np.float32)) / np.float32(2 * stretch.half_range)
    levels: NDArray[np.uint8] = np.rint(np.clip(centred + 0.5, 0.0, 1.0) * 255).astype(np.uint8)
    return levels


def preview_image(
    quantised: NDArray[np.int8], scales: NDArray[np.float32], model: str, *, is_trained: bool
) -> Image.Image:
    """(H, W, D) and (H, W) -> an RGBA picture of H x W pixels, transparent where there is no value."""
    pixels = np.zeros((*scales.shape, 4), dtype=np.uint8)
    has_value = scales > 0
    values = dequantise(quantised[:, :, :3][has_value], scales[has_value])
    pixels[has_value, :3] = brightness(values, stretch_of(model, is_trained=is_trained))
    pixels[has_value, 3] = 255
    picture = Image.fromarray(pixels)
    if not is_trained:
        _mark_untrained(picture)
    return picture


def write_preview(picture: Image.Image, path: Path, texts: dict[str, str]) -> None:
    """A PNG with text chunks; without a date in it, so that the same picture gives the same bytes."""
    chunks = PngInfo()
    for key, text in texts.items():
        chunks.add_text(key, text)
    picture.save(path, format="PNG", pnginfo=chunks, optimize=False)


def _mark_untrained(picture: Image.Image) -> None:
    """Say in the picture itself that its colours mean nothing: pictures get passed around alone."""
    size = max(MARK_MIN_PIXELS, round(picture.height * MARK_HEIGHT_SHARE))
    pen = ImageDraw.Draw(picture)
    pen.text(
        (size // 3, picture.height - size // 3),
        UNTRAINED,
        anchor="lb",
        font=ImageFont.load_default(size),
        # Grey and half transparent: legible on land and sea, and not all that one sees of a mosaic.
        fill=(64, 64, 64, 150),
    )
