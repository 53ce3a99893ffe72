"""Numbers as a person reads them."""

from __future__ import annotations

from datetime import timedelta

from rich.filesize import decimal

NOTHING = "-"


def duration(seconds: float | None) -> str:
    """`0.07 s`, `42 s`, `3 min 20 s`, `5 h 12 min`, `3 d 4 h`; a dash for None."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = timedelta(seconds=round(seconds))
    hours, minutes, rest = whole.seconds // 3600, whole.seconds // 60 % 60, whole.seconds % 60
    if whole.days:
        return f"{whole.days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(count: int | None) -> str:
    """Bytes in decimal units: `1.2 GB`."""
    return NOTHING if count is None else decimal(count)


def share(value: float | None) -> str:
    """0..1 as percent, with one decimal."""
    return NOTHING if value is None else f"{value:.1%}"


def percent(value: float | None) -> str:
    """0..100, whole."""
    return NOTHING if value is None else f"{value:.0f} %"


def rate(per_hour: float | None) -> str:
    """Tiles per hour, with a decimal only where it says something."""
    if per_hour is None:
        return NOTHING
    return f"{per_hour:,.0f}/h" if per_hour >= 100 else f"{per_hour:.1f}/h"
