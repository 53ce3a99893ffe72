"""`laptop-cloud up`: run until Ctrl-C, say what becomes of the machines, and take orders from other terminals."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import urlsplit

from contract.errors import TilefleetError
from laptop_cloud import cloud, managed, processes
from laptop_cloud.control import server
from laptop_cloud.control.managed_orders import ManagedOrders
from laptop_cloud.demo_region import REGION, YEAR
from laptop_cloud.machines.room import MachineRoom

LOOK_SECONDS = 1.0


class StorageDied(TilefleetError):
    """The emulator ended while the laptop cloud ran."""


def run_until_told(
    home: Path, data: Path, scenes: Path, wanted: cloud.Machines, plan: managed.ManagedPlan
) -> None:
    """Returns by an exception only: Ctrl-C, SIGTERM, or StorageDied."""
    with (
        cloud.running(home, data, scenes=scenes, relay=True) as laptop,
        cloud.machines(laptop, wanted) as room,
        managed.machines(laptop, room, plan) as controlled,
        server.running(home, laptop, room, ManagedOrders(controlled)),
    ):
        print(
            f"the laptop cloud runs {wanted.count} VMs; Ctrl-C ends it. In another terminal:\n"
            f"  producer enqueue '{REGION}' --year {YEAR} --set model=v2-nano --set resolution=100\n"
            "  fleetctl status --watch\n"
            "  laptop-cloud vms, evict, kill, freeze, sicken, fill, throttle, start: see --help\n"
            "  fleetctl plan, fleetctl watch: machines that the controller makes, by "
            f"{controlled.manager.url}",
            flush=True,
        )
        _tell(room, urlsplit(laptop.storage_url).port or 0)


def _tell(room: MachineRoom, storage_port: int) -> None:
    """Say each change of a VM once."""
    told: dict[str, tuple[str, str]] = {}
    while True:
        threading.Event().wait(LOOK_SECONDS)
        if not processes.is_listening(storage_port):
            raise StorageDied(
                "Azurite has ended, so the laptop cloud ends too; `laptop-cloud up` goes on with what it stored"
            )
        for name, vm in list(room.vms.items()):
            seen = vm.power, vm.consumer_says
            if told.get(name) != seen:
                told[name] = seen
                doing = f", its consumer {vm.consumer_says}" if vm.consumer_says else ""
                print(f"{name} is {vm.power}{doing}; its log: {vm.log_path}", flush=True)
