"""`consumer dead-man`: what is left on a machine whose workers ended for good."""

from __future__ import annotations

import json
import threading
import time
import tomllib

from typer.testing import CliRunner

from consumer import wiring
from consumer.cli import app
from consumer.settings import Settings
from consumer.wiring import dead_man, with_machine
from contract.artifact_names import CONTROLLER_MEMORY
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.fleet import parse_fleet
from tests.metadata_rig import COMPUTE, Say, metadata_service

FLEET = """name = "uk"
kind = "azure"
location = "here"
[storage]
queue_url = "https://a.queue.core.windows.net"
blob_url = "https://a.blob.core.windows.net"
container = "c"
"""
MACHINE = "/subscriptions/s/resourceGroups/uk/providers/Microsoft.Compute/virtualMachines/uk-a10-0001"


def test_the_switch_alone_lets_a_machine_go_once_the_controller_is_gone():
    store = SimulatedBlobStore(SimulatedContainer(time.time))
    store.put(CONTROLLER_MEMORY, b"{}")
    let_go, stop = threading.Event(), threading.Event()

    def deallocated(_asked):
        let_go.set()
        return Say(status=202)

    with metadata_service() as cloud:
        cloud.answers[COMPUTE] = Say(json.dumps({"name": "uk-a10-0001", "resourceId": MACHINE}).encode())
        cloud.answers["/metadata/identity/oauth2/token"] = Say(b'{"access_token":"t0ken"}')
        cloud.answers[f"{MACHINE}/deallocate"] = deallocated
        given = Settings(metadata_url=cloud.url, resource_manager_url=cloud.url, dead_man_seconds=0.3)
        fleet = parse_fleet(tomllib.loads(FLEET), "here")
        switch = dead_man(with_machine(given, fleet), store, is_busy=lambda: False)
        thread = threading.Thread(target=switch.run, args=(stop,), daemon=True)
        thread.start()
        assert let_go.wait(30)
        stop.set()
        thread.join(30)


def test_it_ends_well_where_it_is_never_to_act(tmp_path, monkeypatch):
    fleet = tmp_path / "uk.toml"
    fleet.write_text(FLEET)
    monkeypatch.setattr(wiring, "set_up_logging", lambda **_: None)
    environ = {"TILEFLEET_CONSUMER_DEAD_MAN_SECONDS": "0", "TILEFLEET_CONSUMER_NOTICES": "none"}
    assert CliRunner().invoke(app, ["dead-man", "--fleet", str(fleet)], env=environ).exit_code == 0
