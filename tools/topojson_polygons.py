"""TopoJSON objects as polygons in plain longitude and latitude, cut at the antimeridian.

world-atlas stitches its shapes together on the sphere: a ring may step from 179.9 to -179.9 degrees,
and Antarctica's ring goes once around the pole without ever reaching 90 south. Drawn flat, such rings
are bands across the whole map, so each is unrolled, closed over the pole if need be, and cut at
+-180. GDAL's own TopoJSON driver leaves that undone.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import shapely

from producer.antimeridian import Ring, ring_area

STEP_DEGREES = 2.0**-13
"""Coordinates are rounded to this (14 m; the source itself is rounded to 200 by 400 m). A power of two
leaves the low bytes of every double zero, which halves the compressed file."""

SPECK_DEGREES = 1e-4
"""Half the side of the square that stands for an island which the source's rounding flattened."""


def read_objects(path: Path, name: str) -> list[tuple[dict[str, object], shapely.Geometry]]:
    """Each geometry of one object collection: its id and properties, and its area."""
    topology = json.loads(path.read_text("utf-8"))
    arcs = _arcs(topology)
    found = []
    for geometry in topology["objects"][name]["geometries"]:
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        area = shapely.union_all([_polygon(polygon, arcs) for polygon in polygons])
        found.append(({"id": geometry.get("id"), **geometry["properties"]}, area))
    return found


def _arcs(topology: dict) -> list[Ring]:
    """The shared lines in degrees: stored as differences of integers on the topology's own grid."""
    scale, origin = topology["transform"]["scale"], topology["transform"]["translate"]
    return [
        np.round((np.cumsum(np.array(arc), axis=0) * scale + origin) / STEP_DEGREES) * STEP_DEGREES
        for arc in topology["arcs"]
    ]


def _polygon(rings: list[list[int]], arcs: list[Ring]) -> shapely.Geometry:
    shell, *holes = (_area(_ring(indices, arcs)) for indices in rings)
    return shapely.difference(shell, shapely.union_all(holes)) if holes else shell


def _ring(indices: list[int], arcs: list[Ring]) -> Ring:
    """Arcs end to end; index ~i is arc i backwards. The point where two meet is in both."""
    pieces = [arcs[index] if index >= 0 else arcs[~index][::-1] for index in indices]
    return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])


def _area(ring: Ring) -> shapely.Geometry:
    """The area inside a ring; a square for an island that the source's rounding left without any."""
    area = ring_area(ring)
    return area if area.area else shapely.buffer(shapely.MultiPoint(ring), SPECK_DEGREES, cap_style="square")
