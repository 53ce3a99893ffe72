"""Pictures of tiles in two map projections, put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract import artifact_names
from contract.errors import BadInput
from contract.outcomes import Outcome
from fleetctl.campaign.canvas import choose_canvas
from fleetctl.campaign.history import gather_history
from fleetctl.campaign.mosaic import Mosaic, make_mosaic
from fleetctl.campaign.sheet import MISSING, OUTSIDE, SEA

WEST_OF_ZONE_32, EAST_OF_ZONE_31 = "grid_5.95_54.05", "grid_6.05_54.05"
LONG = 400


def gradient(longitude, latitude):
    """Red grows eastwards from 5.9 to 6.1 degrees, green northwards from 54.0 to 54.1."""
    red, green = (longitude - 5.9) / 0.2, (latitude - 54.0) / 0.1
    full = np.full_like(longitude, 1.0)
    return np.rint(np.stack([red, green, full * 0.5, full], axis=1).clip(0, 1) * 255).astype(np.uint8)


def paint(campaign, path: Path) -> tuple[Mosaic, np.ndarray]:
    history = gather_history(campaign.store, campaign.job)
    made = make_mosaic(campaign.store, history, path, longest_pixels=LONG, connections=2)
    with Image.open(path) as picture:
        return made, np.asarray(picture.convert("RGB")).astype(int)


def without_lines(canvas, picture):
    """The pixels of the cells, but for the lines on their edges."""
    rows = ~np.isin(np.arange(canvas.height) % canvas.cell_height, (0, canvas.cell_height - 1))
    columns = ~np.isin(np.arange(canvas.width) % canvas.cell_width, (0, canvas.cell_width - 1))
    return picture[: canvas.height, : canvas.width][np.ix_(rows, columns)], rows, columns


@pytest.mark.parametrize("metres", [10, 25, 100], ids=["reduced first", "shrunk", "enlarged"])
@pytest.mark.slow
def test_each_pixel_shows_its_own_place_across_two_zones(make_campaign, make_files, tmp_path, metres):
    campaign = make_campaign(WEST_OF_ZONE_32, EAST_OF_ZONE_31)
    for cell in campaign.cells:
        campaign.commit(cell, make_files(cell, gradient, metres=metres))
    made, picture = paint(campaign, tmp_path / "map.png")
    canvas = choose_canvas(campaign.cells, LONG)
    shown, rows, columns = without_lines(canvas, picture)
    red = (np.arange(canvas.width)[columns] + 0.5) / canvas.width * 255
    green = (1 - (np.arange(canvas.height)[rows] + 0.5) / canvas.height) * 255
    # Half a source pixel of 100 m: 0.0008 degrees of longitude in 0.2, or 0.0005 of latitude in 0.1.
    assert np.abs(shown[:, :, 0] - red[None, :]).max() <= 2
    assert np.abs(shown[:, :, 1] - green[:, None]).max() <= 3
    assert (made.painted, made.empty, made.missing) == (2, 0, 0)


def test_holes_seas_and_strangers_look_different(make_campaign, make_files, tmp_path):
    campaign = make_campaign("grid_5.95_54.05", "grid_6.05_54.05", "grid_5.95_54.15")
    done, empty, missing = campaign.cells

    def sea_in_the_east(longitude, latitude):
        rgba = gradient(longitude, latitude)
        rgba[longitude > 5.95] = 0
        return rgba

    campaign.commit(done, make_files(done, sea_in_the_east))
    campaign.commit(empty, outcome=Outcome.EMPTY)
    made, picture = paint(campaign, tmp_path / "map.png")
    canvas = choose_canvas(campaign.cells, LONG)

    def middle(left: int, top: int, share_x: float = 0.5) -> tuple[int, ...]:
        return tuple(picture[top + canvas.cell_height // 2, left + int(canvas.cell_width * share_x)])

    assert middle(*canvas.corner(missing)) == MISSING
    assert middle(*canvas.corner(empty)) == SEA
    assert middle(canvas.cell_width, 0) == OUTSIDE
    assert middle(*canvas.corner(done), share_x=0.75) == SEA
    assert middle(*canvas.corner(done), share_x=0.25)[2] == pytest.approx(128, abs=1)
    assert (made.painted, made.empty, made.missing) == (1, 1, 1)


@pytest.mark.parametrize("metres", [10, 25], ids=["reduced first", "averaged at once"])
def test_the_colour_under_transparent_pixels_never_shows(make_campaign, make_files, tmp_path, metres):
    campaign = make_campaign(WEST_OF_ZONE_32)

    def white_stripes_on_hidden_red(longitude, _latitude):
        rgba = np.full((len(longitude), 4), 255, dtype=np.uint8)
        rgba[(longitude * 2000).astype(int) % 2 == 0] = (255, 0, 0, 0)
        return rgba

    (cell,) = campaign.cells
    campaign.commit(cell, make_files(cell, white_stripes_on_hidden_red, metres=metres))
    _, picture = paint(campaign, tmp_path / "map.png")
    shown, _, _ = without_lines(choose_canvas(campaign.cells, LONG), picture)
    # Between the sea, which is bluer than red, and white.
    assert (shown >= np.asarray(SEA) - 2).all()
    assert (shown[:, :, 0] <= shown[:, :, 2] + 2).all()
    assert (shown[:, :, 0] < 253).any()


def test_untrained_is_written_into_the_picture(make_campaign, make_files, tmp_path):
    heights = []
    for is_trained in (True, False):
        campaign = make_campaign(WEST_OF_ZONE_32, is_trained=is_trained)
        campaign.commit(campaign.cells[0], make_files(campaign.cells[0], gradient))
        _, picture = paint(campaign, tmp_path / f"{is_trained}.png")
        caption = picture[choose_canvas(campaign.cells, LONG).height :]
        is_red = (caption[:, :, 0] - caption[:, :, 1]) > 100
        heights.append(int(is_red.sum()))
    assert heights[0] == 0
    assert heights[1] > 50


def test_a_tile_that_is_not_published_yet_is_a_hole(make_campaign, make_files, tmp_path):
    campaign = make_campaign(WEST_OF_ZONE_32, EAST_OF_ZONE_31)
    first, second = campaign.cells
    campaign.commit(first, make_files(first, gradient))
    campaign.commit(second, make_files(second, gradient), is_published=False)
    made, _ = paint(campaign, tmp_path / "map.png")
    assert (made.painted, made.missing) == (1, 1)


def test_a_broken_preview_is_named_and_leaves_no_picture(make_campaign, make_files, tmp_path):
    campaign = make_campaign(WEST_OF_ZONE_32)
    (cell,) = campaign.cells
    campaign.commit(cell, make_files(cell, gradient))
    campaign.store.put(
        artifact_names.published(campaign.job.dataset, f"previews/2024/{cell.name}.png"), b"no picture"
    )
    with pytest.raises(BadInput, match=cell.name):
        paint(campaign, tmp_path / "map.png")
    assert list(tmp_path.iterdir()) == []
