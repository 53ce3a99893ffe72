"""The producer as a child: what it says comes through, how it ends is known, and it is not left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from fleetctl import producing
from fleetctl.producing import NOT_INSTALLED, fleet_words, run_producer

SCRIPT = """
from fleetctl import producing
producing.LEAVE_SECONDS = 0.2
started, read, children = producing.subprocess.Popen, producing._read, []
def start(*arguments, **options):
    children.append(started(*arguments, **options))
    return children[0]
def read_and_say_so(stream):
    print(children[0].pid, flush=True)
    return read(stream)
producing.subprocess.Popen, producing._read = start, read_and_say_so
try:
    producing.run_producer(["tiles", "-"], is_output_wanted=True)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.slow
def test_its_output_and_its_status_come_back(capfd):
    made = run_producer(["tiles", "bbox:-4.9,54.0,-4.7,54.1"], is_output_wanted=True)
    assert made.is_done
    assert made.output.split() == ["grid_-4.85_54.05", "grid_-4.75_54.05"]
    assert run_producer(["tiles", "bbox:oops"]).status == 2
    assert "producer:" in capfd.readouterr().err


def test_a_producer_that_is_not_installed_is_a_status(monkeypatch):
    monkeypatch.setattr(producing, "find_spec", lambda _name: None)
    assert run_producer(["tiles", "Malta"]).status == NOT_INSTALLED
    assert fleet_words("uk") == ["--fleet", "uk"]
    assert fleet_words(None) == []


@pytest.mark.slow
def test_an_interrupted_command_leaves_no_producer_behind():
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGINT)  # to the parent alone: a terminal would send it to both
    assert parent.communicate(timeout=60)[0].strip() == "interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
