"""How many tiles a region has, over how many years: the producer counts, in a child process, as it knows the places."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contract.errors import BadInput
from fleetctl.producing import NOT_INSTALLED, run_producer

_YEARS = re.compile(r"(\d{4})(?:-(\d{4}))?")
MOST_YEARS = 50


def count_tiles(places: Sequence[str], boundaries_file: str = "") -> int:
    """Of those places together. The producer itself says what is wrong with them."""
    boundaries = ["--boundaries", boundaries_file] if boundaries_file else []
    made = run_producer(["tiles", *boundaries, "--", *places], is_output_wanted=True)
    if made.status == NOT_INSTALLED:
        raise BadInput("the producer is not installed here, and it knows the places: install tilefleet whole")
    tiles = len(made.output.split())
    if not made.is_done or not tiles:
        raise BadInput("the region has no tiles, so there is nothing to estimate")
    return tiles


def count_years(text: str) -> int:
    """`2024` is one, `2017-2025` are nine; nothing typed is the last complete one. BadInput otherwise."""
    if not text:
        return 1
    match = _YEARS.fullmatch(text)
    years = int(match.group(2) or match.group(1)) - int(match.group(1)) + 1 if match else 0
    if not 1 <= years <= MOST_YEARS:
        raise BadInput(f"--year {text[:40]!r} is no year: write 2024, or 2017-2025")
    return years
