"""Campaigns to look at, in simulated containers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract.tile_id import GridCell, parse_tile
from tests.unit.fleetctl.campaign_builder import Campaign, tile_files


@pytest.fixture
def make_campaign() -> Callable[..., Campaign]:
    """A campaign over the cells of these names."""

    def make(*names: str, is_trained: bool = True) -> Campaign:
        cells = [parse_tile(name) for name in names]
        return Campaign([cell for cell in cells if isinstance(cell, GridCell)], is_trained)

    return make


@pytest.fixture
def make_files() -> Callable[..., dict[str, bytes]]:
    """A tile's preview and land mask."""
    return tile_files
