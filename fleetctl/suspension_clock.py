"""A clock for promises about other machines' time: it goes on while this machine sleeps."""

from __future__ import annotations

import time


def seconds_with_suspension() -> float:
    """Seconds since some moment, those spent in suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
