"""The means and standard deviations that the checkpoints were trained with.

They belong to the checkpoint as much as its weights do: the wrong set gives plausible, wrong maps.
Source: Tessera's published inference configuration. Optical values stand in the cube's channel
order (B04, B02, B03, B08, B8A, B05, B06, B07, B11, B12), radar ones as VV, VH.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from consumer.recipes.tessera.models import Family
from contract.errors import BadInput

DataSource = Literal["mpc", "aws"]
"""Who served the imagery: Planetary Computer, or the public buckets on AWS."""


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """Mean and standard deviation of each channel, float32 (C,)."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Statistics:
    """What normalises one pixel's observations. The two orbit directions have their own."""

    optical: ChannelStatistics
    ascending: ChannelStatistics
    descending: ChannelStatistics


def statistics_for(family: Family, data_source: str) -> Statistics:
    """The set of that checkpoint; BadInput for a data source that no checkpoint was trained on."""
    if data_source not in ("mpc", "aws"):
        raise BadInput(f"there is no data source {data_source!r}: choose mpc or aws")
    if family == "v2":
        return _STUDENTS
    return _V1_MPC if data_source == "mpc" else _V1_AWS


def _channels(mean: str, std: str) -> ChannelStatistics:
    return ChannelStatistics(
        mean=np.array(mean.split(), dtype=np.float32), std=np.array(std.split(), dtype=np.float32)
    )


_V1_MPC = Statistics(
    optical=_channels(
        "2683.4553 2223.3630 2432.0950 3633.1970 3602.1755 3006.4324 3400.2710 3515.6392 2456.9163 1983.8783",
        "2739.5217 2846.2993 2690.8250 2290.0439 2088.8970 2673.1106 2381.4521 2229.5225 1601.0942 1495.3545",
    ),
    ascending=_channels("5588.3291 3025.6270", "1713.4646 1693.0471"),
    descending=_channels("5552.9683 2955.0520", "1685.5857 1677.6414"),
)

_V1_AWS = Statistics(
    optical=_channels(
        "2793.6589 2356.7776 2551.0496 3741.9229 3713.7844 3120.1997 3516.3342 3637.0342 2501.0283 2038.1504",
        "2810.0093 2933.8835 2755.6360 2344.5027 2145.7986 2743.9019 2438.8601 2286.5977 1680.7367 1585.5529",
    ),
    ascending=_channels("5697.0859 2838.6687", "1671.3737 1789.4116"),
    descending=_channels("5759.1367 2873.2854", "1583.2858 1747.8390"),
)

_STUDENTS = Statistics(
    optical=_channels(
        "1633.0042 1341.1090 1539.5536 3054.8269 3117.4658 2004.1648 2694.7275 2945.1504 2266.6079 1657.3094",
        "1999.4603 2014.7549 1929.2201 1754.2493 1649.9807 1936.8988 1748.6041 1708.6991 1207.5250 1108.6046",
    ),
    ascending=_channels("5909.3921 3405.0322", "1507.1750 1531.2615"),
    descending=_channels("5816.1382 3277.7576", "1554.6475 1546.4733"),
)
