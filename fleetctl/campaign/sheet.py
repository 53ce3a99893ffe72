"""Painting a mosaic: tiles onto their cells, thin lines between cells, a caption below."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contract.errors import BadInput
from contract.tile_id import GridCell
from fleetctl.campaign.canvas import Canvas, lines_show

Colour = tuple[int, int, int]

OUTSIDE: Colour = (244, 246, 248)
"""Not asked for."""
SEA: Colour = (223, 231, 239)
"""Asked and done, without a value: water, or no imagery."""
MISSING: Colour = (245, 214, 186)
"""Asked, without a result yet."""
LINE: Colour = (120, 130, 140)
LINE_OPACITY = 0.35
INK: Colour = (40, 48, 56)
WARNING_INK: Colour = (176, 32, 32)
CAPTION_SHARE = 1 / 40
"""Height of the caption's letters, of the picture's longer side."""
MIN_LETTER_PIXELS = 11


class Sheet:
    """The mosaic as it grows; its memory is width x height x 3 bytes, whatever the number of tiles."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._pixels = np.empty((canvas.height, canvas.width, 3), dtype=np.uint8)
        self._pixels[:] = OUTSIDE

    def mark_missing(self, cell: GridCell) -> None:
        """Show that the cell was asked for."""
        self._rectangle(cell)[:] = MISSING

    def paint(self, cell: GridCell, patch: NDArray[np.uint8] | None) -> None:
        """Show a result: (cell_height, cell_width, 4) with colours multiplied by alpha; None: all sea."""
        rectangle = self._rectangle(cell)
        rectangle[:] = SEA
        if patch is not None:
            uncovered = (255 - patch[:, :, 3:].astype(np.uint16)) * np.asarray(SEA, dtype=np.uint16) // 255
            rectangle[:] = np.minimum(patch[:, :, :3] + uncovered, 255).astype(np.uint8)

    def draw_lines(self, cells: Collection[GridCell]) -> None:
        """Thin lines around these cells, unless the cells are so small that nothing else would show."""
        if not lines_show(self._canvas):
            return
        corners = {self._canvas.corner(cell) for cell in cells}
        for cell in cells:
            rectangle = self._rectangle(cell)
            left, top = self._canvas.corner(cell)
            # Two neighbours share one line: the eastern's west edge, the southern's north edge.
            edges = [rectangle[0], rectangle[:, 0]]
            if (left + self._canvas.cell_width, top) not in corners:
                edges.append(rectangle[:, -1])
            if (left, top + self._canvas.cell_height) not in corners:
                edges.append(rectangle[-1])
            for edge in edges:
                edge[:] = np.rint(edge * (1 - LINE_OPACITY) + np.asarray(LINE) * LINE_OPACITY)

    def save(self, path: Path, caption: str, warning: str) -> None:
        """A PNG with a caption below (and a warning in red, if there is one); it appears when it is whole.

        BadInput when it cannot be written there.
        """
        part = path.with_name(f".{path.name}.part")
        try:
            try:
                self._with_caption(caption, warning).save(part, format="PNG")
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise BadInput(f"{path} cannot be written: {error.strerror or error}") from error

    def _with_caption(self, caption: str, warning: str) -> Image.Image:
        """Letters shrink until the longer line fits; a picture too narrow for the smallest is widened."""
        width, height = self._canvas.width, self._canvas.height
        lines = [(caption, INK)] + ([(warning, WARNING_INK)] if warning else [])
        size = max(round(max(width, height) * CAPTION_SHARE), MIN_LETTER_PIXELS)
        while size > MIN_LETTER_PIXELS and _longest(lines, size) > width - 2 * size:
            size -= 1
        width = max(width, round(_longest(lines, size)) + 2 * size)
        picture = Image.new("RGB", (width, height + size * (2 * len(lines) + 1)), OUTSIDE)
        picture.paste(Image.fromarray(self._pixels), (0, 0))
        pen = ImageDraw.Draw(picture)
        for number, (text, ink) in enumerate(lines):
            top = height + size * (2 * number + 1)
            pen.text((size, top), text, font=ImageFont.load_default(size), fill=ink)
        return picture

    def _rectangle(self, cell: GridCell) -> NDArray[np.uint8]:
        left, top = self._canvas.corner(cell)
        return self._pixels[top : top + self._canvas.cell_height, left : left + self._canvas.cell_width]


def _longest(lines: Iterable[tuple[str, Colour]], size: int) -> float:
    """Width in pixels of the longest line in letters of that size."""
    font = ImageFont.load_default(size)
    return max(font.getlength(text) for text, _ in lines)
