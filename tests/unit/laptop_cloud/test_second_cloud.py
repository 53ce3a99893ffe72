"""A laptop cloud that is typed a second time is refused before anything of the first one is touched."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from contract.errors import BadInput
from contract.fleet import LAPTOP_VARIABLE
from laptop_cloud.__main__ import app
from laptop_cloud.cloud import sole
from laptop_cloud.demo import PLAN
from laptop_cloud.managed import STATE_FILE


@pytest.mark.parametrize("command", [["up", "--fresh"], ["demo"]])
def test_what_one_that_runs_or_begins_has_stored_stays(command, tmp_path, monkeypatch):
    monkeypatch.setenv(LAPTOP_VARIABLE, str(tmp_path))
    kept = [tmp_path / name for name in ("data", "demo-data", "logs", STATE_FILE, PLAN.state_file)]
    for path in kept:
        path.touch()
    with sole(tmp_path):
        refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, BadInput)
    assert "runs already" in str(refused.exception)
    assert all(path.exists() for path in kept)


def test_after_one_has_ended_the_next_begins(tmp_path):
    for _ in range(2):
        with sole(tmp_path):
            pass


def test_one_that_was_killed_bars_nobody(tmp_path):
    code = "import sys, pathlib, signal; from laptop_cloud import cloud\n"
    code += "with cloud.sole(pathlib.Path(sys.argv[1])): print('up', flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"up\n"
        with pytest.raises(BadInput, match="runs already"), sole(tmp_path):
            pass
        killed.kill()
    with sole(tmp_path):
        pass
