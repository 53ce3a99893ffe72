"""Which pixel belongs to which cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import BadInput
from contract.tile_id import GridCell
from fleetctl.campaign.canvas import choose_canvas

CELLS = st.builds(GridCell, row=st.integers(-900, 899), column=st.integers(-1800, 1799))


@given(st.lists(CELLS, min_size=1, max_size=30), st.integers(64, 2000))
def test_every_cell_has_pixels_of_its_own_inside_the_picture(cells, longest_pixels):
    canvas = choose_canvas(cells, longest_pixels)
    corners = {canvas.corner(cell) for cell in cells}
    assert len(corners) == len(set(cells))
    for left, top in corners:
        assert 0 <= left <= canvas.width - canvas.cell_width
        assert 0 <= top <= canvas.height - canvas.cell_height
    is_larger = max(canvas.width, canvas.height) > longest_pixels
    assert (
        not is_larger
        or max(canvas.cell_width, canvas.cell_height) == 1
        or min(canvas.rows, canvas.columns) == 1
    )


def test_a_cell_is_as_wide_as_it_is_on_the_ground():
    canvas = choose_canvas([GridCell(row=599, column=0), GridCell(row=590, column=9)], 1000)
    assert canvas.cell_height == 100
    assert canvas.cell_width == pytest.approx(50, abs=1)  # cos(59.5 degrees)


def test_a_country_on_both_sides_of_the_antimeridian_is_not_as_wide_as_the_earth():
    fiji = [
        GridCell(row=-180, column=1799),
        GridCell(row=-180, column=-1800),
        GridCell(row=-170, column=1770),
    ]
    canvas = choose_canvas(fiji, 310)
    assert canvas.columns == 31
    assert canvas.corner(fiji[1])[0] == canvas.corner(fiji[0])[0] + canvas.cell_width


def test_the_north_is_up():
    canvas = choose_canvas([GridCell(row=0, column=0), GridCell(row=1, column=0)], 100)
    assert canvas.corner(GridCell(row=1, column=0)) == (0, 0)
    assert canvas.corner(GridCell(row=0, column=0)) == (0, canvas.cell_height)


def test_nothing_cannot_be_shown():
    with pytest.raises(BadInput, match="at least one cell"):
        choose_canvas([], 100)
