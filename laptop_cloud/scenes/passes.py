"""When the satellites come by and how much of the place their swath covers.

A year here is thinner than the real one but as uneven: gaps of unequal length, three Sentinel-2 orbits of
which two end within sight of the place, and Sentinel-1 passes of both directions with edges of their own.
"""

from __future__ import annotations

import calendar
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from laptop_cloud.scenes.noise import chance
from laptop_cloud.scenes.pixel_grid import Bbox, PixelGrid

Direction = Literal["ascending", "descending"]
# Easting per northing of a swath's edge; the orbits are inclined by 98 degrees.
_EDGE_SLOPE: dict[Direction, float] = {"ascending": -0.23, "descending": 0.23}


@dataclass(frozen=True)
class Swath:
    """The strip that one pass sees, between two parallel edges, in metres from the place's anchor.

    A frame of it ends in the south and north as well.
    """

    anchor_x: float
    anchor_y: float
    slope: float
    west: float
    east: float
    south: float = -math.inf
    north: float = math.inf

    def covers(self, grid: PixelGrid) -> NDArray[np.bool_]:
        """Which pixel centres were seen, (height, width)."""
        along = grid.ys - self.anchor_y
        across = (grid.xs - self.anchor_x)[None, :] - self.slope * along[:, None]
        seen_rows = (along >= self.south) & (along <= self.north)
        return (across >= self.west) & (across <= self.east) & seen_rows[:, None]

    def within(self, bounds: Bbox) -> shapely.Polygon:
        """The seen part of a box in metres; an empty polygon when the pass missed it."""
        south = max(bounds[1], self.anchor_y + self.south)
        north = min(bounds[3], self.anchor_y + self.north)
        if south >= north:
            return shapely.Polygon()
        corners = [
            (self.anchor_x + edge + self.slope * (y - self.anchor_y), y)
            for edge, y in (
                (self.west, south),
                (self.east, south),
                (self.east, north),
                (self.west, north),
            )
        ]
        seen = shapely.intersection(shapely.Polygon(corners), shapely.box(*bounds))
        return seen if isinstance(seen, shapely.Polygon) else shapely.Polygon()


@dataclass(frozen=True)
class Pass:
    """One overflight."""

    when: datetime
    """In UTC."""
    platform: str
    """S2A, S2B or S1A."""
    relative_orbit: int
    direction: Direction
    swath: Swath

    @property
    def day_of_year(self) -> int:
        """1 on the first of January."""
        return self.when.timetuple().tm_yday


@dataclass(frozen=True)
class _Orbit:
    number: int
    hour: float
    direction: Direction
    west: float
    east: float


@dataclass(frozen=True)
class Mission:
    """A kind of satellite, its platforms, and the orbits from which it sees the place, in turn."""

    name: str
    platforms: tuple[str, ...]
    orbits: tuple[_Orbit, ...]


# Swaths are 290 km (Sentinel-2) and 250 km (Sentinel-1 IW) wide; edges in metres from the anchor.
SENTINEL2 = Mission(
    "sentinel-2",
    ("S2A", "S2B"),
    (
        _Orbit(37, 11.36, "descending", -145_000, 145_000),
        _Orbit(80, 11.53, "descending", -280_500, 9_500),
        _Orbit(37, 11.36, "descending", -145_000, 145_000),
        _Orbit(137, 11.19, "descending", -8_000, 282_000),
    ),
)
SENTINEL1 = Mission(
    "sentinel-1",
    ("S1A",),
    (
        _Orbit(30, 18.03, "ascending", -228_000, 22_000),
        _Orbit(52, 6.37, "descending", -19_000, 231_000),
        _Orbit(103, 17.92, "ascending", -17_000, 233_000),
        _Orbit(125, 6.50, "descending", -125_000, 125_000),
    ),
)

_FRAMED_ORBIT = 125
_FRAME_OVERLAP_METRES = 2_000
_FRAME_SECONDS = 25


def frames_of(overpass: Pass) -> list[Pass]:
    """The products that a radar pass is cut into, in order of time.

    One orbit's frames meet at the anchor, so that one day and direction can come as two scenes.
    """
    if overpass.relative_orbit != _FRAMED_ORBIT:
        return [overpass]
    half = _FRAME_OVERLAP_METRES / 2
    northern = replace(overpass, swath=replace(overpass.swath, south=-half))
    southern = replace(overpass, swath=replace(overpass.swath, north=half))
    # It descends, so the north comes first.
    return [northern, replace(southern, when=overpass.when + timedelta(seconds=_FRAME_SECONDS))]


def passes_of(
    mission: Mission, *, seed: int, anchor: tuple[float, float], year: int, count: int
) -> list[Pass]:
    """`count` overflights of a year (UTC), in order, at most one a day; `anchor` in metres of UTM."""
    days = 366 if calendar.isleap(year) else 365
    made = []
    for index in range(count):

        def draw(what: str, index: int = index) -> float:
            return chance(seed, mission.name, year, what, index)

        # Anywhere within its own share of the year, so the gaps are as uneven as real ones.
        day = int((index + draw("day")) * days / count)
        orbit = mission.orbits[index % len(mission.orbits)]
        platform = mission.platforms[int(draw("platform") * len(mission.platforms))]
        seconds = round(orbit.hour * 3600 + 20 * draw("second"))
        when = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=seconds)
        swath = Swath(*anchor, _EDGE_SLOPE[orbit.direction], orbit.west, orbit.east)
        made.append(Pass(when, platform, orbit.number, orbit.direction, swath))
    return made
