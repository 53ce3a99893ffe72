"""Which cores this process may use, neighbours beside each other."""

from __future__ import annotations

import os
from pathlib import Path

CPU_FOLDER = Path("/sys/devices/system/cpu")


def cores_in_order(topology: Path = CPU_FOLDER) -> list[int]:
    """Ids of the affinity mask's cores: socket by socket, the hardware threads of one core together.

    Their numbers alone do not say it: many machines number all first hardware threads before the second ones,
    and a slot that gets one half of each core shares its matrix unit with another slot.
    """
    return sorted(os.sched_getaffinity(0), key=lambda core: (*_place(topology / f"cpu{core}"), core))


def _place(cpu: Path) -> tuple[int, int]:
    """(socket, core within it); zeros where the kernel does not tell, as in some containers."""
    try:
        socket = int((cpu / "topology" / "physical_package_id").read_text(encoding="ascii"))
        core = int((cpu / "topology" / "core_id").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0, 0
    return socket, core
