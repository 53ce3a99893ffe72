"""What the controller tells systemd. The watchdog is fed by whoever made progress, never by a timer: a loop that
hangs is to be killed.
"""

from __future__ import annotations

from collections.abc import Mapping

from contract.service_manager import ALIVE, READY, STOPPING, status, tell_service_manager


class ServiceNotes:
    """Notes to the service manager that started us, if one did."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def ready(self, text: str) -> None:
        """We do what we were started for."""
        tell_service_manager(self._environ, READY, status(text), ALIVE)

    def progress(self, text: str) -> None:
        """We got further; feeds the watchdog."""
        tell_service_manager(self._environ, status(text), ALIVE)

    def stopping(self, why: str) -> None:
        """We leave, by ourselves."""
        tell_service_manager(self._environ, STOPPING, status(why))
