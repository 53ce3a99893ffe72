"""A laptop cloud that is typed a second time is refused before anything of the first one is touched."""

import os

import pytest
from typer.testing import CliRunner

from contract.errors import BadInput
from contract.fleet import LAPTOP_VARIABLE, RUNNING_FILE, Fleet, running_toml
from laptop_cloud.__main__ import app
from laptop_cloud.demo import PLAN
from laptop_cloud.managed import STATE_FILE

FLEET = Fleet("laptop", "laptop", "here", "http://127.0.0.1:9/a", "http://127.0.0.1:9/a", "tilefleet")


@pytest.mark.parametrize("command", [["up", "--fresh"], ["demo"]])
def test_what_one_that_runs_has_stored_stays(command, tmp_path, monkeypatch):
    monkeypatch.setenv(LAPTOP_VARIABLE, str(tmp_path))
    (tmp_path / RUNNING_FILE).write_text(running_toml(FLEET, os.getpid()))
    kept = [tmp_path / name for name in ("data", "demo-data", "logs", STATE_FILE, PLAN.state_file)]
    for path in kept:
        path.touch()
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, BadInput)
    assert "runs already" in str(refused.exception)
    assert all(path.exists() for path in kept)
