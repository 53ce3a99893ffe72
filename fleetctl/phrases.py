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


def usd(amount: float) -> str:
    """`1250.00`, `0.59`; below ten cents with more digits: `0.0045`."""
    return f"{amount:.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.4f}"


def spent(amount_usd: float, traffic_usd: float, of_budget_usd: float | None = None) -> str:
    """`12.30 of 20.00 USD spent (0.75 for traffic)`; no budget, no traffic: without those words."""
    of_budget = "" if of_budget_usd is None else f" of {usd(of_budget_usd)}"
    traffic = f" ({usd(traffic_usd)} for traffic)" if traffic_usd else ""
    return f"{usd(amount_usd)}{of_budget} USD spent{traffic}"


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
