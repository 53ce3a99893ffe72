"""What may be done to a laptop cloud that runs: to its machines, its storage and its imagery."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from contract.errors import BadInput, TilefleetError
from laptop_cloud.control.managed_orders import ManagedOrders
from laptop_cloud.imagery_faults import Faults
from laptop_cloud.imagery_server import FAULTS_PATH
from laptop_cloud.machines.power import PowerState
from laptop_cloud.machines.room import MachineRoom
from laptop_cloud.machines.vm import LaptopVm
from laptop_cloud.relay_control import RelayControl
from laptop_cloud.storage_faults import StorageFaults

ANSWER_SECONDS = 10


class Orders:
    """Carries out one order at a time; each answers with a sentence, or with rows for a table.

    BadInput and NotNow say why an order cannot be carried out.
    """

    def __init__(
        self,
        room: MachineRoom,
        relay: RelayControl | None,
        imagery_url: str,
        managed: ManagedOrders | None = None,
    ) -> None:
        """`managed`: for machines that a controller made."""
        self._room = room
        self._managed = managed
        self._relay = relay
        self._imagery_url = imagery_url
        self._known: Mapping[str, Callable[..., Any]] = {
            "vms": self.vms,
            "evict": self.evict,
            "kill": self.kill,
            "freeze": self.freeze,
            "sicken": self.sicken,
            "fill": self.fill,
            "start": self.start,
            "throttle-storage": self.throttle_storage,
            "throttle-imagery": self.throttle_imagery,
            **(managed.known if managed else {}),
        }

    def carry_out(self, order: str, arguments: Mapping[str, Any]) -> Any:
        """One order by its name."""
        try:
            method = self._known[order]
        except KeyError:
            raise BadInput(f"nobody knows the order {order!r}") from None
        try:
            return method(**arguments)
        except TypeError as error:
            raise BadInput(f"{order}: {error}") from error

    def vms(self) -> list[dict[str, Any]]:
        """Of machines that a controller made: the power that the cloud says they have."""
        rows = {row["name"]: row for row in self._processes()}
        for made in self._managed.rows() if self._managed else []:
            rows[made["name"]] = {**made, **rows.get(made["name"], {}), "power": made["power"]}
        return list(rows.values())

    def _processes(self) -> list[dict[str, Any]]:
        return [
            {
                "name": vm.name,
                "power": vm.power,
                "boot": vm.boot.number if vm.boot else 0,
                "consumer": vm.consumer_says,
                "slots": vm.spec.slots,
                "log": str(vm.log_path),
            }
            for vm in list(self._room.vms.values())
        ]

    def evict(self, vm: str | None, notice_seconds: float | None) -> str:
        """`vm` None: all that run. `notice_seconds` None: without a word."""
        if vm is not None:
            evictions = {vm: self._evict(vm, notice_seconds)}
        else:
            evictions = {}
            for name in self._at_risk():
                with contextlib.suppress(
                    TilefleetError
                ):  # it went elsewhere at this moment: the others do not wait
                    evictions[name] = self._evict(name, notice_seconds)
        names = list(evictions)
        if not names:
            return "no VM runs: nobody is evicted"
        if notice_seconds is None:
            for thread in filter(None, evictions.values()):
                thread.join()
            return f"{', '.join(names)}: deallocated without notice"
        return f"{', '.join(names)}: will be deallocated in {notice_seconds:g} s"

    def _at_risk(self) -> list[str]:
        running = [name for name, vm in list(self._room.vms.items()) if vm.power == PowerState.RUNNING]
        if self._managed is None:
            return running
        return [name for name in running if not self._managed.machine(name)] + self._managed.at_risk()

    def _evict(self, vm: str, notice_seconds: float | None) -> threading.Thread | None:
        """The thread that ends with it, where this laptop can wait for it."""
        if self._managed and self._managed.machine(vm):
            self._managed.evict(vm, notice_seconds)
            return None
        return self._room.evict(vm, notice_seconds)

    def kill(self, vm: str) -> str:
        if self._managed and self._managed.is_hollow(vm):
            return self._managed.stop_reporting(vm)
        self._process(vm).kill()
        return f"{vm}: all processes of its consumer were killed; the VM is still running"

    def freeze(self, vm: str, seconds: float) -> str:
        machine = self._process(vm)
        machine.freeze()
        thawing = threading.Timer(seconds, machine.thaw)
        thawing.daemon = True
        thawing.start()
        return f"{vm}: stands still for {seconds:g} s"

    def sicken(self, vm: str) -> str:
        if self._managed and self._managed.is_hollow(vm):
            return self._managed.sicken(vm)
        self._process(vm).sicken()
        return (
            f"{vm}: its GPU is sick until the VM is deallocated; tiles of the toy recipe see it, "
            f"other recipes run on this laptop's CPU and do not"
        )

    def fill(self, vm: str) -> str:
        self._process(vm).fill()
        return f"{vm}: its temporary disk is full until the VM is started again"

    def start(self, vm: str) -> str:
        if self._managed and self._managed.machine(vm):
            return self._managed.start(vm)
        machine = self._room.vm(vm)
        machine.start()
        return f"{vm}: boot {machine.boot.number if machine.boot else 0}"

    def _process(self, vm: str) -> LaptopVm:
        """BadInput where there is none to be troubled."""
        if vm not in self._room.vms and self._managed and self._managed.machine(vm):
            raise BadInput(f"{vm} has no processes on this laptop now: it is hollow, or has not booted yet")
        return self._room.vm(vm)

    def throttle_storage(self, faults: Mapping[str, Any], seconds: float) -> str:
        if self._relay is None:
            raise BadInput("nothing stands before this storage: it cannot be throttled")
        self._relay.misbehave(StorageFaults.from_json(dict(faults)), seconds)
        return f"the storage misbehaves for {seconds:g} s"

    def throttle_imagery(self, faults: Mapping[str, Any], seconds: float) -> str:
        if not self._imagery_url:
            raise BadInput("this laptop cloud serves no imagery: there is nothing to throttle")
        request = urllib.request.Request(
            f"{self._imagery_url}{FAULTS_PATH}?seconds={seconds}",
            data=json.dumps(asdict(Faults(**faults))).encode(),
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):
            return f"the imagery server misbehaves for {seconds:g} s"
