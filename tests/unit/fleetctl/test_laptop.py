"""The laptop cloud as a child: it does not outlive the command that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from fleetctl.exit_codes import ExitCode

# Whoever starts the tests under nohup has SIGHUP ignored, and programs inherit that.
COMMAND = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from fleetctl.cli import run; run()"
STAND_IN = """
import os, time
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGINT], ids=lambda one: one.name)
def test_a_command_that_is_ended_ends_the_cloud_that_it_runs(tmp_path, ending):
    package = tmp_path / "laptop_cloud"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "local", "up"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    child = int(command.stdout.readline())
    command.send_signal(ending)
    assert command.wait(60) == ExitCode.INTERRUPTED
    command.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
