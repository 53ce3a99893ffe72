"""`fleetctl watch` as a process, on real storage and the laptop cloud's Resource Manager."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import Backends
from laptop_cloud.resource_manager.fleet_tables import operators_tables
from laptop_cloud.resource_manager.hollow import HollowMachines
from laptop_cloud.resource_manager.server import running
from tests.fleet_rig import make_rig, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def cloud(tmp_path):
    clock = CloudClock()
    with running(tmp_path / "machines.json", clock, Backends(HollowMachines(clock))) as manager:
        yield manager


@pytest.fixture
def rig(tmp_path, azurite, cloud):
    """A fleet whose machines the Resource Manager makes."""
    rig = make_rig(tmp_path, azurite.queue_url, azurite.blob_url)
    file = tmp_path / "fleets" / f"{rig.fleet.name}.toml"
    file.write_text(file.read_text() + operators_tables(cloud.url, cloud.account, 5))
    rig.environ |= {"TILEFLEET_FLEETCTL_PRICE_LIST": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    yield rig
    rig.end()


def start_watch(rig, name, *options):
    """A controller, its log in a file of that name."""
    with (rig.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fleetctl", "watch", *options],
            env=rig.environ,
            cwd=rig.folder,
            stdout=log,
            stderr=log,
        )
    rig.started.append(process)
    return process


def test_one_tick_makes_a_machine_for_each_tile_and_says_so(rig, cloud):
    for _ in range(3):
        rig.queues.tiles.send("{}")
    output = rig.type("fleetctl", "watch", "--once", "--json")
    (line,) = (json.loads(line) for line in output.splitlines() if line.startswith('{"time"'))
    assert [action["verb"] for action in line["done"]] == ["create"] * 3
    assert len(cloud.compute.world.machines) == 3
    assert all(action["reason"] for action in line["done"])
    again = rig.type("fleetctl", "watch", "--once", "--json")
    assert '"done": []' in again


def test_the_second_controller_waits_for_the_first_and_goes_on_at_once(rig, cloud):
    rig.queues.tiles.send("{}")
    first = start_watch(rig, "first")
    wait_for(lambda: len(cloud.compute.world.machines) == 1, "the first machine")
    second = start_watch(rig, "second")
    wait_for(lambda: f"process {first.pid}" in rig.log_of("second"), "the second to say who leads")
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    wait_for(lambda: '"leading"' in rig.log_of("second"), "the second to lead")
    assert len(cloud.compute.world.machines) == 1
    second.send_signal(signal.SIGINT)
    assert second.wait(30) == 0
    for name in ("first", "second"):
        assert "Traceback" not in rig.log_of(name)


def test_a_mistake_is_one_sentence_and_status_2(rig):
    assert "METRICS_TOKEN" in rig.type("fleetctl", "watch", "--metrics", "0.0.0.0:0", status=2)


def test_a_fleet_file_without_machines_is_a_mistake(tmp_path, azurite):
    rig = make_rig(tmp_path, azurite.queue_url, azurite.blob_url)
    assert "azure" in rig.type("fleetctl", "watch", "--once", status=2)
