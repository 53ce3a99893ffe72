"""`fleetctl simulate` as it is typed: a small region as JSON, and a place that there is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleetctl.cli import app

pytestmark = pytest.mark.slow


def test_a_small_region_is_simulated_and_drawn(tmp_path: Path):
    picture = tmp_path / "bbox.png"
    ended = CliRunner().invoke(
        app, ["simulate", "bbox:-4.9,54.0,-4.3,54.5", "--vms", "4", "--json", "--plot", str(picture)]
    )
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert [run["is_complete"] for run in told["runs"]] == [True, True, True]
    assert told["runs"][0]["tiles_done"] == told["tiles"] > 10
    assert picture.exists()


def test_a_place_that_there_is_not_ends_with_a_sentence():
    ended = CliRunner().invoke(app, ["simulate", "Atlantis"])
    assert ended.exit_code == 2
    assert "there is nothing to simulate" in ended.stderr
