"""The controller's systemd unit: what it says of our exits, and that systemd understands it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fleetctl.controller.act import CALL_SECONDS
from fleetctl.controller.policy import Patience

UNIT = Path(__file__).resolve().parents[4] / "infra" / "systemd" / "tilefleet-watch.service"


def lines():
    return dict(
        line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#"
    )


def test_it_is_started_again_whatever_ended_it_since_a_token_may_come_a_minute_later():
    assert lines()["Restart"] == "always"
    assert "RestartPreventExitStatus" not in lines()
    assert lines()["StartLimitIntervalSec"] == "0"


def test_its_limits_leave_a_tick_the_time_that_it_may_take():
    assert int(lines()["WatchdogSec"]) > Patience().tick + 2 * CALL_SECONDS
    assert int(lines()["TimeoutStopSec"]) > 2 * CALL_SECONDS


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_understands_it(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/tilefleet/bin/fleetctl", shutil.which("true")))
    checked = subprocess.run(
        ["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True, timeout=60
    )
    assert unit.name not in checked.stderr
    assert checked.returncode == 0
