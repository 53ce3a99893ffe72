"""The VMs of one laptop cloud, with the metadata service that speaks to them."""

from __future__ import annotations

import contextlib
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from contract.errors import BadInput
from laptop_cloud import processes, served
from laptop_cloud.machines.eviction import evict
from laptop_cloud.machines.power import Delays, PowerState
from laptop_cloud.machines.temporary_disk import FolderDisk, SmallDisk, TemporaryDisk, can_be_small
from laptop_cloud.machines.vm import LEAVE_LIMIT_SECONDS, LaptopVm, Places, VmSpec
from laptop_cloud.metadata.answers import Instance
from laptop_cloud.metadata.endpoint import MetadataService
from laptop_cloud.metadata.scheduled_events import ScheduledEvents
from laptop_cloud.served import ServerThread

DISK_BYTES = 4 * 1024**3
"""Most of a temporary disk; what lies on it is held in memory."""


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """How the machines of one room behave."""

    disk_bytes: int = DISK_BYTES
    delays: Delays | None = None
    """None: no longer than this machine needs."""
    first_call_seconds: float = 0.0
    """How long a VM's first question for Scheduled Events takes."""


class MachineRoom:
    """All VMs by name. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        logs: Path,
        environ: Mapping[str, str],
        servers: ServerThread,
        plan: RoomPlan,
    ) -> None:
        """`environ`: of the VMs' programs. `servers`: where their metadata are served."""
        self.vms: dict[str, LaptopVm] = {}
        self.events = ScheduledEvents()
        self._servers = servers
        self._folder = folder
        self._logs = logs
        self._environ = dict(environ)
        self._plan = plan
        self._has_small_disks = can_be_small(folder / "probe")
        # The kernel ends a child with the thread that started it: this one lives as long as the room.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="vm-starter")

    def create(self, spec: VmSpec) -> LaptopVm:
        """A VM that is switched off; BadInput when there is one of that name."""
        if spec.name in self.vms:
            raise BadInput(f"there is a VM {spec.name} already")
        folder = self._folder / spec.name
        instance = Instance(spec.name, str(uuid.uuid4()), spec.size, spec.location, spec.tags)
        metadata = MetadataService(instance, self.events, first_call_seconds=self._plan.first_call_seconds)
        vm = LaptopVm(
            spec,
            self._environ,
            Places(self.system_disk(spec.name), self._logs, self._servers.serve(metadata.application())),
            self._disk(folder / "temporary"),
            self._start,
            delays=self._plan.delays,
        )
        self.vms[spec.name] = vm
        return vm

    def remove(self, name: str) -> None:
        """Switch it off and forget it with its disks; BadInput when there is none of that name."""
        vm = self.vm(name)
        vm.await_rest(LEAVE_LIMIT_SECONDS)
        if vm.power is not PowerState.DEALLOCATED:
            vm.deallocate()
        del self.vms[name]
        self._servers.end(vm.metadata_url)
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def system_disk(self, name: str) -> Path:
        """Of a VM of that name: it survives everything but `remove`."""
        return self._folder / name / "system"

    def vm(self, name: str) -> LaptopVm:
        """BadInput names those that there are."""
        try:
            return self.vms[name]
        except KeyError:
            there = ", ".join(sorted(self.vms)) or "none"
            raise BadInput(f"there is no VM {name!r}; there are: {there}") from None

    def evict(self, name: str, notice_seconds: float | None) -> threading.Thread:
        """Take it away: after so many seconds, or at once without a word (None). The thread ends with it."""
        return evict(self.vm(name), self.events, notice_seconds)

    def shut_down(self, limit_seconds: float = LEAVE_LIMIT_SECONDS) -> None:
        """All leave in order, at the same time."""
        vms = list(self.vms.values())
        if vms:
            with ThreadPoolExecutor(len(vms), thread_name_prefix="shut-down") as pool:
                list(pool.map(lambda vm: vm.shut_down(limit_seconds), vms))
        self._starter.shutdown()

    def _disk(self, folder: Path) -> TemporaryDisk:
        return SmallDisk(folder, self._plan.disk_bytes) if self._has_small_disks else FolderDisk(folder)

    def _start(self, *arguments: Any, **options: Any) -> processes.Child:
        return self._starter.submit(partial(processes.start, *arguments, **options)).result()


@contextlib.contextmanager
def running(
    folder: Path,
    logs: Path,
    environ: Mapping[str, str],
    specs: Sequence[VmSpec],
    *,
    plan: RoomPlan | None = None,
    leave_limit_seconds: float = LEAVE_LIMIT_SECONDS,
) -> Iterator[MachineRoom]:
    """These VMs, started; told to leave together on the way out. `environ`: of their programs."""
    with served.running("metadata") as servers:
        room = MachineRoom(folder, logs, environ, servers, plan or RoomPlan())
        try:
            for spec in specs:
                room.create(spec).start()
            yield room
        finally:
            room.shut_down(leave_limit_seconds)
