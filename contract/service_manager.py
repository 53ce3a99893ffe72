"""What a service tells systemd: that it is ready, what it does, that it is alive (sd_notify(3)).

Nothing happens outside a service: `NOTIFY_SOCKET` is set by systemd for units of `Type=notify`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def status(text: str) -> str:
    """A line for `systemctl status`."""
    return f"STATUS={' '.join(text.split())[:200]}"


def is_service(environ: Mapping[str, str]) -> bool:
    """Does a service manager wait for our notes? Else a person does, or a program of theirs."""
    return bool(environ.get("NOTIFY_SOCKET"))


def tell_service_manager(environ: Mapping[str, str], *lines: str) -> None:
    """Send the lines, if somebody listens. Never raises: a service works without being watched, too."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux's abstract names begin with a zero byte
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)  # a full socket must not hold anybody up
        channel.connect(address)
        channel.sendall("\n".join(lines).encode())
