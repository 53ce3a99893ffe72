"""A fleet per test, on the session's Azurite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from laptop_cloud.azurite import Endpoints
from tests.fleet_rig import FleetRig, make_rig


@pytest.fixture
def rig(azurite: Endpoints, tmp_path: Path) -> Iterator[FleetRig]:
    """Real programs on real storage, with a name that nobody else has."""
    fleet = make_rig(tmp_path, azurite.queue_url, azurite.blob_url)
    try:
        yield fleet
    finally:
        fleet.end()
