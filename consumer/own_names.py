"""What a worker, its machine and its machine's boot are called where nobody named them."""

from __future__ import annotations

import re
import socket
from pathlib import Path

MOST_CHARACTERS = 60
_FOREIGN = re.compile(r"[^A-Za-z0-9.-]")
"""What heartbeats, messages and the storage take in no name."""


def host_name() -> str:
    """This machine's own name, of the characters that can name a machine in the storage."""
    return _fitting(socket.gethostname()) or "machine"


def boot_id() -> str:
    """Of this machine's current boot, as the kernel names it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def worker_name(host: str, pid: int) -> str:
    """One that nobody else has at this moment."""
    return f"{_fitting(host) or 'worker'}-{pid}"


def _fitting(host: str) -> str:
    return _FOREIGN.sub("-", host).strip(".-")[:MOST_CHARACTERS]
