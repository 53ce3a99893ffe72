"""A fleet per test, on the session's Azurite, and the real year as scenes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from laptop_cloud import turns
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


@pytest.fixture(scope="session")
def real_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real year's scenes, written once for all processes of a test run: nobody changes them."""
    from tests.integration.real_year import RealYear  # with GDAL, for few tests

    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    folder = run / "real-scenes"
    with turns.alone(run / "real-scenes.lock"):
        if not folder.exists():
            partial = run / "real-scenes.partial"
            RealYear().write_scenes(partial)
            partial.rename(folder)
    return folder
