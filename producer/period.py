"""Which calendar years were asked: `2024`, or `2017-2025` for a campaign (pure; today's date is given)."""

from __future__ import annotations

import re
from datetime import date

from contract.errors import BadInput

FIRST_YEAR = 2017
"""Sentinel-2B followed its twin in March 2017; with one satellite, cloudy regions stay half unseen."""

_YEARS = re.compile(r"([0-9]{4})(?:-([0-9]{4}))?")


def last_complete_year(today: date) -> int:
    """The default: the newest year of which every day is past."""
    return today.year - 1


def parse_years(text: str | None, *, today: date, is_partial_allowed: bool = False) -> tuple[int, ...]:
    """The years of `--year`, oldest first; BadInput for years that have no, or not yet all, imagery.

    >>> parse_years("2017-2019", today=date(2026, 5, 1))
    (2017, 2018, 2019)
    """
    if text is None:
        return (last_complete_year(today),)
    match = _YEARS.fullmatch(text.strip())
    if not match:
        raise BadInput(f"--year {text[:40]!r} is neither a year (2024) nor a range of years (2017-2025)")
    first = int(match.group(1))
    last = int(match.group(2) or first)
    if first > last:
        raise BadInput(f"--year {text} runs backwards; write {last}-{first}")
    _check(first, last, today, is_partial_allowed=is_partial_allowed)
    return tuple(range(first, last + 1))


def _check(first: int, last: int, today: date, *, is_partial_allowed: bool) -> None:
    if first < FIRST_YEAR:
        raise BadInput(
            f"{first} is too early: both Sentinel-2 satellites are in orbit from {FIRST_YEAR} on, "
            f"ask for {FIRST_YEAR} or later"
        )
    if last > today.year:
        raise BadInput(f"{last} has not begun: the last complete year is {last_complete_year(today)}")
    if last == today.year and not is_partial_allowed:
        raise BadInput(
            f"{last} is not over, so its tiles would have to be made again; ask for "
            f"{last_complete_year(today)}, or add --partial-year"
        )
