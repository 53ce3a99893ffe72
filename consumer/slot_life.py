"""Signs of life of one slot: a slot tells its supervisor as a service tells systemd, and in the same words.

A slot that hangs as a whole (foreign code that never gives Python back its lock, a driver) renews no lease and says
nothing; its tiles go to others, but its machine would be paid for nothing until somebody far away looks.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from contract.service_manager import ALIVE

MAX_DATAGRAM_BYTES = 4096
SHOW_SECONDS = 5.0
"""How often a worker shows life, at most."""
SILENT_SECONDS = 150.0
"""A slot that did, and then nothing for so long, is killed: renewals of a storage that is away take half of it."""


class LifeLine:
    """The supervisor's end, one for each slot; all its processes in turn speak to it."""

    def __init__(self, slot: int) -> None:
        self._name = f"tilefleet-{os.getpid()}-{slot}-{os.urandom(4).hex()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{self._name}")
        self.last_sign: float | None = None
        """time.monotonic(); None before the process that runs now showed any: starting takes as long as it takes."""

    @property
    def address(self) -> str:
        """For the slot's NOTIFY_SOCKET."""
        return f"@{self._name}"

    def hear(self, now: float) -> None:
        """Take what arrived since the last look."""
        with suppress(BlockingIOError):
            while True:
                if ALIVE.encode() in self._socket.recv(MAX_DATAGRAM_BYTES):
                    self.last_sign = now

    def forget(self) -> None:
        """Another process begins."""
        self.hear(0.0)
        self.last_sign = None

    def forgive(self, seconds: float) -> None:
        """The supervisor itself stood still for so long, and heard nobody."""
        if self.last_sign is not None:
            self.last_sign += seconds

    def is_silent(self, now: float, limit_seconds: float = SILENT_SECONDS) -> bool:
        return self.last_sign is not None and now - self.last_sign > limit_seconds

    def close(self) -> None:
        self._socket.close()
