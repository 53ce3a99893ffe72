"""The policy as the fleet file says it now: a budget that a person raises counts at the next tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from contract.errors import BadInput
from fleetctl.controller.policy import Policy
from fleetctl.fleet_file import FleetFile

log = structlog.get_logger()

REREAD = "fleet file read again"
IGNORED = "fleet file ignored"
POOLS_IGNORED = "changed pools ignored"


class PolicyFile:
    """Reads the file again when it was written. A file with a mistake changes nothing, and is told once; other pools
    wait for another controller, since this one looks only where its own are."""

    def __init__(self, first: FleetFile, read: Callable[[], FleetFile]) -> None:
        self._read = read
        self._path = first.path
        self._pools = first.policy.pools
        self._policy = first.policy
        self._written = (0, 0)
        self._written = self._stamp()

    def __call__(self) -> Policy:
        """The newest policy without a mistake."""
        written = self._stamp()
        if written != self._written:
            self._written = written
            self._take()
        return self._policy

    def _take(self) -> None:
        try:
            policy = self._read().policy
        except BadInput as error:
            log.warning(IGNORED, reason=str(error))
            return
        if policy.pools != self._pools:
            log.warning(POOLS_IGNORED, reason="start `fleetctl watch` again for them")
        log.info(REREAD, limits=str(policy.limits))
        self._policy = replace(policy, pools=self._pools)

    def _stamp(self) -> tuple[int, int]:
        """Nanoseconds of its last change, and bytes."""
        try:
            found = self._path.stat()
        except OSError:
            return self._written  # being replaced at this moment
        return found.st_mtime_ns, found.st_size
