"""Machines that are processes of this laptop: a power state of the cloud becomes a `consumer` that runs or does not."""

from __future__ import annotations

from collections.abc import Callable

from laptop_cloud.machines.eviction import evict
from laptop_cloud.machines.power import PowerState
from laptop_cloud.machines.room import MachineRoom
from laptop_cloud.machines.vm import LaptopVm, VmSpec
from laptop_cloud.resource_manager.records import Machine

SpecFor = Callable[[Machine], VmSpec]


class RealMachines:
    """A backend over the laptop's room of machines."""

    def __init__(self, room: MachineRoom, spec_for: SpecFor) -> None:
        self._room = room
        self._spec_for = spec_for

    def start(self, machine: Machine) -> None:
        vm = self._room.vms.get(machine.name) or self._room.create(self._spec_for(machine))
        if vm.power is not PowerState.RUNNING:
            vm.start()

    def shut_down(self, machine: Machine) -> None:
        if (vm := self._room.vms.get(machine.name)) is not None and vm.power is PowerState.RUNNING:
            vm.stop()

    def cut(self, machine: Machine) -> None:
        if (vm := self._room.vms.get(machine.name)) is not None and vm.power is not PowerState.DEALLOCATED:
            vm.deallocate()

    def remove(self, machine: Machine) -> None:
        if machine.name in self._room.vms:
            self._room.remove(machine.name)

    def warn(self, machine: Machine, notice_seconds: float, take: Callable[[], None]) -> None:
        """By Scheduled Events, in the seconds of this laptop: its workers know no others."""
        evict(_Taken(self._room.vm(machine.name), take), self._room.events, notice_seconds)


class _Taken:
    """A machine whose end the cloud brings about, not the room."""

    def __init__(self, vm: LaptopVm, take: Callable[[], None]) -> None:
        self.name = vm.name
        self._vm = vm
        self._take = take

    def await_rest(self, limit_seconds: float) -> bool:
        return self._vm.await_rest(limit_seconds)

    def deallocate(self) -> None:
        self._take()
