"""Tells systemd how this service is: three words over one datagram socket; nothing where there is no systemd.

The watchdog is fed by whoever made progress, never by a timer: a loop that hangs is to be killed.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

SOCKET_VARIABLE = "NOTIFY_SOCKET"


class ServiceNotes:
    """Notes to the service manager that started us."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get(SOCKET_VARIABLE, "")
        # A name that begins with @ is in the abstract namespace, which has no files.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self, status: str) -> None:
        """We do what we were started for."""
        self._send(f"READY=1\nSTATUS={_line(status)}\nWATCHDOG=1")

    def progress(self, status: str) -> None:
        """We got further; feeds the watchdog."""
        self._send(f"STATUS={_line(status)}\nWATCHDOG=1")

    def stopping(self, why: str) -> None:
        self._send(f"STOPPING=1\nSTATUS={_line(why)}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)  # a full socket must not hold a tick up
            sock.sendto(text.encode(), self._address)


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
