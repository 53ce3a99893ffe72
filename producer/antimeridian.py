"""Areas that cross the 180th meridian, or surround a pole, made plain: cut at +-180 degrees.

A ring that steps from 179.9 to -179.9 degrees means a short step east, but drawn flat it is a band
around the whole earth. Everything behind this module may take longitude for an ordinary number.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

Ring = NDArray[np.float64]
"""(n, 2): longitude, latitude in degrees; the last point is the first one again."""

_TURNS_DEGREES = (-360, 0, 360)


def area_on_sphere(polygon: shapely.Polygon) -> shapely.Geometry:
    """The area of a polygon none of whose edges spans half the earth; valid and within +-180 degrees."""
    shell = ring_area(shapely.get_coordinates(polygon.exterior))
    holes = [ring_area(shapely.get_coordinates(hole)) for hole in polygon.interiors]
    return shapely.difference(shell, shapely.union_all(holes)) if holes else shell


def ring_area(ring: Ring) -> shapely.Geometry:
    """The area inside one such ring. A ring once around the earth contains the pole that it is nearer to."""
    unrolled = ring.copy()
    unrolled[:, 0] = np.unwrap(ring[:, 0], period=360)
    first, last = unrolled[0, 0], unrolled[-1, 0]
    if abs(last - first) > 180:
        pole = np.copysign(90.0, ring[:, 1].mean())
        unrolled = np.vstack([unrolled, [(last, pole), (first, pole)], unrolled[:1]])
    if len(unrolled) < 4:
        return shapely.Polygon()
    area = shapely.make_valid(shapely.Polygon(unrolled), method="structure", keep_collapsed=False)
    return cut_at_antimeridian(area)


def cut_at_antimeridian(area: shapely.Geometry) -> shapely.Geometry:
    """The same area with all longitudes within +-180 degrees; those given may lie up to one turn beyond."""
    if shapely.is_empty(area):
        return area
    west, _, east, _ = shapely.bounds(area)
    if west >= -180 and east <= 180:
        return area
    pieces = []
    for turn in _TURNS_DEGREES:
        world = shapely.box(turn - 180, -90, turn + 180, 90)
        pieces.append(affinity.translate(shapely.intersection(area, world), xoff=-turn))
    return shapely.union_all(pieces)
