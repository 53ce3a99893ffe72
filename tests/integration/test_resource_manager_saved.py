"""What the laptop's Resource Manager notes on disk, and what becomes of it when it cannot."""

from __future__ import annotations

from laptop_cloud.resource_manager import server
from laptop_cloud.resource_manager.order import read_order
from tests.fleet_rig import wait_for
from tests.integration.test_resource_manager import cloud, states
from tests.unit.laptop_cloud.resource_manager_rig import GROUP, body, client, regular


def test_a_server_that_is_started_again_finds_its_machines(tmp_path):
    with cloud(tmp_path) as first:
        vms = client(first).virtual_machines
        vms.begin_create_or_update(GROUP, "a-0001", body("a-0001")).result()
        vms.begin_create_or_update(GROUP, "c-0001", regular("c-0001")).result()
        vms.begin_deallocate(GROUP, "c-0001").result()
    with cloud(tmp_path) as second:
        listed = client(second).virtual_machines.list_all(status_only="true")
        assert {vm.name: states(vm.instance_view)[-1] for vm in listed} == {
            "a-0001": "PowerState/running",
            "c-0001": "PowerState/deallocated",
        }


def test_time_goes_on_when_the_disk_takes_nothing_more(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(server, "SAVE_SECONDS", 0.0)
    folder = tmp_path / "full"
    with cloud(folder) as manager:
        folder.write_text("no folder any more")
        manager.compute.put(read_order("a-0001", GROUP, body("a-0001")))
        told = []
        wait_for(
            lambda: told.append(capsys.readouterr().out) or "could not be noted" in "".join(told), "a word"
        )
        machine, *_ = manager.compute.put(read_order("a-0002", GROUP, body("a-0002")))
        wait_for(lambda: machine.power == "running", "the boot, which nobody asks for", 20)
