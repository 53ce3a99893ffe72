"""A picture of an embedding: its first three dimensions as red, green and blue, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from consumer.recipes.tessera.models import Family
from consumer.recipes.tessera.quantise import dequantise

# One stretch for every tile of a model, never one per tile: neighbours must match along their edges.
# A student's 128 values are normalised per pixel to variance 1, so nearly all lie within +-2.5. v1.1
# is not bounded; its published tiles spread several times as wide.
HALF_RANGES: dict[Family, float] = {"v2": 2.5, "v1.1": 8.0}
"""Embedding values from -x to +x become 0 to 255."""
MARK_HEIGHT_SHARE = 1 / 16
MARK_MIN_PIXELS = 10


def stretch(values: NDArray[np.float32], family: Family) -> NDArray[np.uint8]:
    """Embedding values to brightness, the same for every tile of the family."""
    half_range = HALF_RANGES[family]
    brightness: NDArray[np.uint8] = np.rint(
        np.clip((values + half_range) / (2 * half_range), 0.0, 1.0) * np.float32(255)
    ).astype(np.uint8)
    return brightness


def preview_image(
    quantised: NDArray[np.int8], scales: NDArray[np.float32], family: Family, *, is_trained: bool
) -> Image.Image:
    """(H, W, D) and (H, W) -> an RGBA picture of H x W pixels, transparent where there is no value."""
    values = dequantise(quantised[:, :, :3], scales)
    pixels = np.zeros((*scales.shape, 4), dtype=np.uint8)
    pixels[:, :, :3] = stretch(values, family)
    pixels[:, :, 3] = np.where(scales > 0, 255, 0)
    pixels[scales <= 0] = 0
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
        "untrained",
        anchor="lb",
        font=ImageFont.load_default(size),
        fill=(255, 255, 255, 255),
        stroke_width=max(1, size // 12),
        stroke_fill=(0, 0, 0, 255),
    )
