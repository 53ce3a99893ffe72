"""Time series that are filled in parallel and then lose the days that came to nothing."""

from __future__ import annotations

from datetime import date
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item", bound=np.generic)


def keep_in_place(series: NDArray[Item], kept: NDArray[np.bool_]) -> NDArray[Item]:
    """The kept entries along the first axis, in order and without a second copy of a year in memory.

    The array given is overwritten; the result is its beginning.
    """
    count = 0
    for index in np.flatnonzero(kept):
        if index != count:
            series[count] = series[index]
        count += 1
    return series[:count]


def day_of_year(iso_date: str) -> int:
    """1..366 of a YYYY-MM-DD."""
    return date.fromisoformat(iso_date).timetuple().tm_yday
