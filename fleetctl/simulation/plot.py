"""The simulated runs as a picture: machines that run, and tiles that are done, over hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from contract.errors import BadInput
from fleetctl.simulation.run import Curve, Run

WIDTH, PANEL_HEIGHT = 1200, 360
LEFT, RIGHT, TOP, BOTTOM = 110, 30, 50, 50
COLOURS = ((0, 92, 175), (214, 96, 20), (120, 120, 120))
INK, GRID = (40, 40, 40), (225, 225, 225)
LINES = 4
"""Of the grid, in each direction."""
FONT_PIXELS = 18
Points = Callable[[Curve], Sequence[float]]


@dataclass(frozen=True, slots=True)
class _Panel:
    """One diagram: where it lies, and what its ends mean."""

    top: int
    hours: float
    most: float

    def at(self, hour: float, value: float) -> tuple[float, float]:
        width, height = WIDTH - LEFT - RIGHT, PANEL_HEIGHT - TOP - BOTTOM
        return LEFT + width * hour / self.hours, self.top + TOP + height * (1 - value / self.most)


def write_plot(path: Path, title: str, runs: Sequence[Run]) -> None:
    """Write it as PNG. BadInput when that file cannot be written."""
    image = Image.new("RGB", (WIDTH, 2 * PANEL_HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(FONT_PIXELS)
    _draw_panel(draw, font, 0, f"{title}: machines that run", runs, lambda curve: curve.up)
    _draw_panel(draw, font, PANEL_HEIGHT, "tiles that are done", runs, lambda curve: curve.done)
    try:
        image.save(path, format="PNG")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error}") from error


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    top: int,
    title: str,
    runs: Sequence[Run],
    points: Points,
) -> None:
    hours = max((run.hours for run in runs), default=0.0) or 1.0
    most = max((value for run in runs for value in points(run.curve)), default=0) or 1
    panel = _Panel(top, hours, most)
    draw.text((LEFT, top + 14), title, INK, font=font)
    for line in range(LINES + 1):
        hour, value = hours * line / LINES, most * line / LINES
        draw.line([panel.at(hour, 0), panel.at(hour, most)], GRID)
        draw.line([panel.at(0, value), panel.at(hours, value)], GRID)
        draw.text((LEFT - 10, panel.at(0, value)[1]), f"{value:,.0f}", INK, font=font, anchor="rm")
        x, y = panel.at(hour, 0)
        draw.text((x, y + 8), f"{hour:.1f} h", INK, font=font, anchor="ma")
    for run, colour in zip(runs, COLOURS, strict=False):
        line_points = [
            panel.at(hour, value) for hour, value in zip(run.curve.hours, points(run.curve), strict=True)
        ]
        if len(line_points) > 1:
            draw.line(line_points, colour, width=2)
    for place, (run, colour) in enumerate(zip(runs, COLOURS, strict=False)):
        draw.text((WIDTH - RIGHT - 240 * (len(runs) - place), top + 14), run.name, colour, font=font)
