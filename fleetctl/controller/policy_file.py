"""The policy as the fleet file says it now: a budget that a person raises counts at the next tick."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from contract.errors import BadInput
from fleetctl.controller.policy import Policy
from fleetctl.fleet_file import FleetFile

log = structlog.get_logger()

REREAD = "fleet file read again"
IGNORED = "fleet file ignored"


class PolicyFile:
    """Reads the file again when it was written. A file with a mistake changes nothing, and is told once."""

    def __init__(self, first: FleetFile, read: Callable[[], FleetFile]) -> None:
        self._read = read
        self._path = first.path
        self._pools = first.policy.pools
        self._policy = first.policy
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
            log.warning(IGNORED, reason="its pools changed: start `fleetctl watch` again for them")
            return
        log.info(REREAD, limits=str(policy.limits))
        self._policy = policy

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return self._written if hasattr(self, "_written") else (0, 0)  # being replaced at this moment
        return found.st_mtime_ns, found.st_size
