"""Lists machines no sooner than the interface said to ask again: asking while it refuses only prolongs that."""

from __future__ import annotations

import time
from collections.abc import Callable

from fleetctl.cloud.machines import Machines, Refusal, Refused
from fleetctl.controller.snapshot import VmSeen


class ListingPause:
    """Blocks nobody: what is asked too soon is refused here."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._clock = clock
        self._until = 0.0

    def list_by_name(self, machines: Machines) -> dict[str, VmSeen]:
        """Every machine of the fleet. Refused as by `machines`, or while its last refusal lasts."""
        left = self._until - self._clock()
        if left > 0:
            text = f"too many requests, again in {left:.0f} s"
            raise Refused(Refusal.THROTTLED, "", text, retry_after_seconds=left)
        try:
            return {vm.name: vm for vm in machines.list_states()}
        except Refused as refused:
            if refused.kind is Refusal.THROTTLED:
                self._until = self._clock() + (refused.retry_after_seconds or 0.0)
            raise
