"""`fleetctl watch` for a cloud whose clock is fast: the same controller, with its waiting times divided by that speed.

What it waits for goes by the cloud's minutes, and a drill has seconds. Started as a process of its own: it changes
constants of modules. The tick and the idle grace come from the fleet file, as always.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from fleetctl import __main__ as fleetctl_main
from fleetctl.controller import daemon, offers
from fleetctl.controller.rules import carry_out, follow

SHORTEST_SECONDS = 1.0
HURRIED: Mapping[ModuleType, Sequence[str]] = {
    offers: ("PROBE_SECONDS", "LONGEST_PROBE_SECONDS", "TROUBLE_SECONDS"),
    follow: ("LISTING_LAG_SECONDS", "START_LAG_SECONDS"),
    carry_out: ("REPEAT_SECONDS",),
    daemon: ("LEAD_POLL_SECONDS",),
}


def command(speed: float) -> list[str]:
    """What Python is told, to run it."""
    return ["-m", "laptop_cloud.drills.hurried_watch", f"{speed:g}"]


def hurry(speed: float) -> None:
    """From now on in this process."""
    for module, names in HURRIED.items():
        for name in names:
            setattr(module, name, max(SHORTEST_SECONDS, getattr(module, name) / speed))


if __name__ == "__main__":
    hurry(float(sys.argv.pop(1)))
    sys.argv.append("watch")
    fleetctl_main.main()
