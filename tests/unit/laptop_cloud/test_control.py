"""Orders from another terminal: given, refused in one sentence, and taken from nobody without the token."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request

import pytest
from typer.testing import CliRunner

from contract.errors import BadInput
from contract.fleet import LAPTOP_VARIABLE, Fleet
from laptop_cloud import imagery_server
from laptop_cloud.__main__ import app
from laptop_cloud.cloud import LaptopCloud
from laptop_cloud.control import server
from laptop_cloud.control.client import CONTROL_FILE, order
from laptop_cloud.control.managed_orders import ManagedOrders
from laptop_cloud.machines import room
from laptop_cloud.machines.vm import VmSpec
from laptop_cloud.managed import Managed
from laptop_cloud.resource_manager import server as resource_manager
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import Backends
from laptop_cloud.resource_manager.hollow import HollowMachines
from laptop_cloud.resource_manager.order import read_order
from tests.fleet_rig import wait_for
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, body

SPEED = 200
"""A minute of the cloud is .3 s here."""
FLEET = Fleet("laptop", "laptop", "here", "http://127.0.0.1:9/a", "http://127.0.0.1:9/a", "tilefleet")


@pytest.fixture
def home(tmp_path):
    """Of a laptop cloud with one VM that is switched off, and no storage at all."""
    with room.running(tmp_path / "vms", tmp_path / "logs", {}, []) as machines:
        machines.create(VmSpec("laptop-1"))
        with server.running(tmp_path, LaptopCloud(tmp_path, FLEET, {}), machines):
            yield tmp_path


def test_the_table_shows_every_vm_with_its_state(home, monkeypatch):
    monkeypatch.setenv(LAPTOP_VARIABLE, str(home))
    shown = CliRunner().invoke(app, ["vms"])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split()[:4] == ["laptop-1", "deallocated", "0", "1"]


@pytest.fixture
def home_of_hollow(tmp_path):
    """Of a laptop cloud whose machines are hollow ones that a controller makes; also what orders them, and them."""
    clock = CloudClock(SPEED)
    hollow = HollowMachines(clock)
    with (
        room.running(tmp_path / "vms", tmp_path / "logs", {}, []) as machines,
        resource_manager.running(tmp_path / "state.json", clock, Backends(hollow)) as manager,
    ):
        orders = ManagedOrders(Managed(manager, hollow))
        with server.running(tmp_path, LaptopCloud(tmp_path, FLEET, {}), machines, orders):
            yield tmp_path, orders, manager.compute


def test_the_table_shows_hollow_machines_too_which_have_no_log_and_no_processes(home_of_hollow, monkeypatch):
    home, _, compute = home_of_hollow
    monkeypatch.setenv(LAPTOP_VARIABLE, str(home))
    compute.put(read_order("a-0001", GROUP, body("a-0001")))
    shown = CliRunner().invoke(app, ["vms"], catch_exceptions=False)
    row = shown.stdout.splitlines()[1].split()
    assert (row[0], row[-1]) == ("a-0001", "hollow")
    with pytest.raises(BadInput, match="a-0001 has no processes on this laptop now"):
        order(home, "fill", vm="a-0001")


def test_one_machine_that_is_on_its_way_elsewhere_does_not_save_the_others_from_eviction(home_of_hollow):
    home, orders, compute = home_of_hollow
    for name in ("a-0001", "a-0002"):
        compute.put(read_order(name, GROUP, body(name)))
    wait_for(lambda: len(compute.at_risk()) == 2, "the boot")
    orders.at_risk = lambda: ["a-0000", "a-0001", "a-0002"]  # the first is gone since it was looked at
    assert order(home, "evict", vm=None, notice_seconds=None).startswith("a-0001, a-0002: ")
    assert compute.at_risk() == []
    with pytest.raises(BadInput, match="no VM 'a-0000'"):
        order(home, "evict", vm="a-0000", notice_seconds=None)


def test_a_laptop_cloud_that_ends_in_the_middle_of_an_order_is_said_not_to_answer(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        known = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "token": "t"}
        (tmp_path / CONTROL_FILE).write_text(json.dumps(known))

        def end_after_the_question():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)

        ending = threading.Thread(target=end_after_the_question, daemon=True)
        ending.start()
        with pytest.raises(BadInput, match="does not answer"):
            order(tmp_path, "vms")
        ending.join(10)


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("kill", {"vm": "laptop-7"}, "there is no VM 'laptop-7'; there are: laptop-1"),
        ("freeze", {"vm": "laptop-1", "seconds": 1}, "laptop-1 has no consumer that runs"),
        ("fill", {"vm": "laptop-1"}, "start the VM first|no small one"),
        ("throttle-storage", {"faults": {}, "seconds": 1}, "nothing stands before this storage"),
        ("throttle-imagery", {"faults": {}, "seconds": 1}, "serves no imagery"),
        ("explode", {}, "nobody knows the order 'explode'"),
        ("kill", {"who": "laptop-1"}, "kill: "),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(home, name, arguments, why):
    with pytest.raises(BadInput, match=why):
        order(home, name, **arguments)


def test_killing_a_vm_that_does_nothing_and_evicting_all_of_none_is_harmless(home):
    assert "killed" in order(home, "kill", vm="laptop-1")
    assert order(home, "evict", vm=None, notice_seconds=None) == "no VM runs: nobody is evicted"


def test_orders_are_taken_with_the_token_alone_which_only_the_owner_can_read(home):
    path = home / CONTROL_FILE
    assert path.stat().st_mode & 0o077 == 0
    url = json.loads(path.read_text())["url"]
    request = urllib.request.Request(f"{url}/orders", data=b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)


def test_where_no_laptop_cloud_runs_an_order_says_how_to_start_one(tmp_path):
    with pytest.raises(BadInput, match="start one with `laptop-cloud up`"):
        order(tmp_path, "vms")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["evict"], "the name of a VM, or --all"),
        (["evict", "laptop-1", "--all"], "the name of a VM, or --all"),
        (["throttle"], "at least one of --rate, --latency and --cut"),
        (["throttle", "--rate", "5", "--status", "404"], "503 or 500"),
        (["throttle", "imagery", "--rate", "5", "--status", "500"], "leave --status out"),
    ],
)
def test_a_verb_without_sense_is_refused_before_anything_is_asked(words, why):
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, BadInput)
    assert why in str(refused.exception)


def test_the_imagery_server_has_a_bad_day_for_as_long_as_it_is_told_to(tmp_path):
    (tmp_path / "B04.tif").write_bytes(b"pixels")

    def change_day(faults, seconds):
        target = f"{url}{imagery_server.FAULTS_PATH}?seconds={seconds}"
        urllib.request.urlopen(
            urllib.request.Request(target, data=json.dumps(faults).encode(), method="PUT"), timeout=10
        ).close()

    def status():
        try:
            return urllib.request.urlopen(f"{url}/B04.tif", timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code

    with imagery_server.running(tmp_path, tmp_path / "server.log") as url:
        change_day({"throttle_percent": 100.0}, 60)
        assert status() in {429, 503}
        change_day({"throttle_percent": 100.0}, 0)
        assert status() == 200
        with pytest.raises(urllib.error.HTTPError, match="400"):
            change_day({"rain": 1}, 60)
