"""What is typed wrongly about money: one sentence, exit status 2, nothing asked of anybody."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from fleetctl.cli import app

TILE = "grid_-2.25_53.45"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("FLEET", "TILEFLEET_LAPTOP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TILEFLEET_FLEETCTL_PRICE_LIST", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "there.toml").touch()
    return lambda *words: CliRunner().invoke(app, words)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["prices", "East_US", "--sizes", "Foo"], "is no region of the cloud"),
        (["prices", "eastus", "--sizes", "Standard_B2s"], "never spot"),
        (["estimate"], "one of both"),
        (["estimate", "UK", "--job", "uk"], "one of both"),
        (["estimate", "UK", "--budget", "-5"], "is no budget"),
        (["estimate", "UK", "--budget", "nan"], "is no budget"),
        (["estimate", "UK", "--budget", "inf"], "is no budget"),
        (["estimate", "UK", "--by", "soon"], "is no date"),
        (["estimate", "UK", "--by", "2020-01-01"], "is over already"),
        (["estimate", "UK", "--write", "there.toml"], "is there already"),
        (["estimate", "--job", "uk"], "needs the fleet"),
        (["budget", "uk", "--set", "much"], "is no budget"),
        (["calibrate", "nowhere", "--sizes", "A", "--regions", "b", "--max-usd", "3"], "nowhere"),
        (["calibrate", TILE, "--sizes", "", "--regions", "", "--max-usd", "3"], "at least one size"),
    ],
)
def test_one_sentence_and_status_two(run, words, problem):
    answer = run(*words)
    assert answer.exit_code == 2, answer.output
    assert problem in " ".join(answer.output.split())
