"""`fleetctl local env` tells other shells where the laptop cloud is, if one runs."""

from __future__ import annotations

import os

from typer.testing import CliRunner

from contract.fleet import LAPTOP_VARIABLE, RUNNING_FILE, Fleet, running_toml
from fleetctl.commands.local import group

FLEET = Fleet("laptop", "laptop", "here", "http://127.0.0.1:9/a", "http://127.0.0.1:9/a", "tilefleet")


def test_the_variables_of_one_that_runs_can_be_evaluated_by_a_shell(tmp_path, monkeypatch):
    home = tmp_path / "with a blank"
    home.mkdir()
    (home / RUNNING_FILE).write_text(running_toml(FLEET, os.getpid()))
    monkeypatch.setenv(LAPTOP_VARIABLE, str(home))
    shown = CliRunner().invoke(group, ["env"])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [f"export {LAPTOP_VARIABLE}='{home}'", "export FLEET=laptop"]


def test_none_that_runs_is_said_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv(LAPTOP_VARIABLE, str(tmp_path))
    shown = CliRunner().invoke(group, ["env"])
    assert shown.exit_code == 2
    assert shown.stdout == ""
    assert "the laptop cloud does not run" in shown.stderr
