"""`laptop-cloud virtual-fleet`: what it prints, and how one sees a bad run again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from laptop_cloud.__main__ import app
from laptop_cloud.virtual import show
from laptop_cloud.virtual.runs import run_seed
from laptop_cloud.virtual.scenario import bad_days

SCENARIO = bad_days(30, evictions_per_vm_hour=2.5)


def test_good_runs_end_with_status_0_and_their_numbers():
    came = CliRunner().invoke(app, ["virtual-fleet", "--tiles", "30", "--seeds", "2", "--json"])
    assert came.exit_code == 0, came.output
    runs = json.loads(came.stdout)
    assert [run["seed"] for run in runs] == [1, 2]
    assert all(run["tiles"] == 30 and run["broken_count"] == 0 for run in runs)


def test_a_broken_law_ends_with_status_1_its_story_and_the_command_that_repeats_it(monkeypatch):
    broken = replace(
        run_seed(SCENARIO, 7), broken=("a law: this tile",), broken_count=1, history=("1 s  vm-1  was lost",)
    )
    monkeypatch.setattr(show, "run_seeds", lambda *_runs, **_names: iter([broken]))
    came = CliRunner().invoke(
        app, ["virtual-fleet", "--tiles", "30", "--seed", "7", "--evictions-per-vm-hour", "2.5"]
    )
    assert came.exit_code == 1
    for words in ("seed 7", "a law: this tile", "was lost"):
        assert words in came.output
    assert "laptop-cloud virtual-fleet --tiles 30 --seed 7 --evictions-per-vm-hour 2.5" in came.output


def test_the_story_of_a_tile_tells_its_attempts(monkeypatch):
    monkeypatch.setattr("laptop_cloud.virtual.laws.ARTIFACTS", 3)  # as if one of three were missing
    result = run_seed(bad_days(5), 1)
    assert result.broken_count
    assert any("begins" in line for line in result.history)
    assert any("ends" in line for line in result.history)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tiles", "0"],
        ["--processes", "0"],
        ["--seeds", "many"],
        ["--evictions-per-vm-hour", "inf"],
    ],
)
def test_nonsense_is_refused_with_status_2(arguments):
    assert CliRunner().invoke(app, ["virtual-fleet", *arguments]).exit_code == 2
