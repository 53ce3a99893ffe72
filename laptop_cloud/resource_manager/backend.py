"""What stands behind the cloud's machines: processes of this laptop, or nothing but a heartbeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from laptop_cloud.resource_manager.records import Machine


class Backend(Protocol):
    """Carries out what the cloud decided. Calls may take long: the cloud makes them in threads of its own, one at
    a time for each machine. An exception fails the operation that it was made for."""

    def start(self, machine: Machine) -> None:
        """Switch it on; it boots when this returns. It may have been on already, before the cloud's restart."""
        ...

    def shut_down(self, machine: Machine) -> None:
        """Switch it off as an operator does: its workers are told. Harmless when it is off."""
        ...

    def cut(self, machine: Machine) -> None:
        """Take its hardware: nobody is told, and the temporary disk is lost. Harmless when it has none."""
        ...

    def remove(self, machine: Machine) -> None:
        """Forget it, with its disks. Harmless when it is unknown."""
        ...

    def warn(self, machine: Machine, notice_seconds: float, take: Callable[[], None], /) -> None:
        """Tell it that it will be evicted; call `take` once, when the time is over or it is ready."""
        ...
