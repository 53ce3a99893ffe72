"""Polygons from any vector file that GDAL or GeoParquet readers open, as longitude and latitude.

Files come from outside: their size is limited, and whatever is wrong with one is said in one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import CRSError

from contract.errors import BadInput
from producer.antimeridian import area_on_sphere, cut_at_antimeridian

MAX_FILE_BYTES = 512 * 2**20
"""Natural Earth's largest file is 10 MB, all of OpenStreetMap's coast in one file 800 MB."""

PARQUET_SUFFIXES = (".parquet", ".geoparquet")

EDGE_METRES = 1000.0
"""Edges of projected polygons are cut to this length before they are transformed: a straight edge on
the map is a curve in degrees, and 1 km of it strays from its chord by less than a metre."""

AREA_TYPES = (
    shapely.GeometryType.POLYGON,
    shapely.GeometryType.MULTIPOLYGON,
    shapely.GeometryType.GEOMETRYCOLLECTION,
)

Geometries = NDArray[np.object_]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a file, as read."""

    geometries: Geometries
    """(n,), in the layer's own coordinates."""
    fields: Mapping[str, Sequence[Any]]
    """Column name in lower case -> n values."""
    crs: str | None
    """Anything that PROJ understands; None when the file does not say."""

    @property
    def has_areas(self) -> bool:
        """Whether any geometry may be an area: a polygon, several, or a collection."""
        return bool(np.isin(shapely.get_type_id(self.geometries), AREA_TYPES).any())


def read_layers(path: Path) -> list[Layer]:
    """Every layer of a file that has geometries; BadInput for no file, or one that nothing reads."""
    if not path.is_file():
        raise BadInput(f"{path} is a folder, not a file" if path.is_dir() else f"there is no file {path}")
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise BadInput(f"{path} has {size} bytes, more than the {MAX_FILE_BYTES} that are read: simplify it")
    if path.suffix.lower() in PARQUET_SUFFIXES:
        return [_read_geoparquet(path)]
    return _read_ogr_layers(path)


def _read_ogr_layers(path: Path) -> list[Layer]:
    # It brings GDAL and, where they are installed, geopandas and pandas: a second that the shipped file needs not.
    import pyogrio  # noqa: PLC0415
    from pyogrio.errors import DataLayerError, DataSourceError  # noqa: PLC0415

    def read(name: str) -> Layer:
        about, _, geometries, columns = pyogrio.raw.read(source, layer=name, force_2d=True)
        fields = {field.lower(): values for field, values in zip(about["fields"], columns, strict=True)}
        return Layer(shapely.from_wkb(geometries, on_invalid="fix"), fields, about["crs"])

    source = f"/vsizip/{path}" if path.suffix.lower() == ".zip" else str(path)
    try:
        names = [name for name, geometry_type in pyogrio.list_layers(source) if geometry_type is not None]
        return [read(name) for name in names]
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as error:
        reason = str(error).partition(";")[0]
        raise BadInput(f"{path} is no vector file that GDAL can read: {reason}") from error


def _read_geoparquet(path: Path) -> Layer:
    try:
        with pq.ParquetFile(path) as file:  # not read_table: that loads pyarrow.dataset, and so pandas
            table = file.read()
        geo = json.loads((table.schema.metadata or {})[b"geo"])
        primary = geo["primary_column"]
        about = geo["columns"][primary]
        encoded = table.column(primary).to_pylist()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise BadInput(f"{path} is not readable as GeoParquet: {error}") from error
    if about.get("encoding") != "WKB":
        raise BadInput(f"{path} holds geometries as {about.get('encoding')}: write it with encoding WKB")
    # Without "crs" the standard says longitude and latitude; "crs": null says that nobody knows.
    crs = about.get("crs", "OGC:CRS84")
    fields = {
        column.lower(): table.column(column).to_pylist()
        for column in table.column_names
        if pa.types.is_primitive(table.schema.field(column).type)
        or pa.types.is_string(table.schema.field(column).type)
        or pa.types.is_large_string(table.schema.field(column).type)
    }
    geometries = shapely.from_wkb(np.array(encoded, dtype=object), on_invalid="fix")
    return Layer(geometries, fields, json.dumps(crs) if isinstance(crs, dict) else crs)


def areas_in_degrees(layer: Layer, source: Path) -> Geometries:
    """The geometries' areas (n,) in longitude and latitude, valid, cut at +-180; empty where there is none.

    BadInput when the layer has no CRS or its coordinates cannot be what the CRS says.
    """
    if layer.crs is None:
        raise BadInput(
            f"{source} does not say its coordinate system (CRS): add a .prj, or save it as GeoPackage"
        )
    try:
        crs = pyproj.CRS.from_user_input(layer.crs)
    except CRSError as error:
        raise BadInput(f"the coordinate system (CRS) of {source} is unknown: {error}") from error
    areas = layer.geometries.copy()
    invalid = ~(shapely.is_valid(areas) | shapely.is_missing(areas))
    areas[invalid] = shapely.make_valid(areas[invalid], method="structure", keep_collapsed=False)
    if _is_longitude_latitude(crs):
        _check_degrees(areas, source)
        return _each(areas, cut_at_antimeridian)
    return _transformed(areas, crs, source)


def _is_longitude_latitude(crs: pyproj.CRS) -> bool:
    """WGS 84 in whatever axis order: GDAL and GeoParquet both hand over longitude first."""
    return bool(crs.is_geographic and pyproj.CRS("OGC:CRS84").equals(crs, ignore_axis_order=True))


def _transformed(areas: Geometries, crs: pyproj.CRS, source: Path) -> Geometries:
    if crs.is_projected:
        metres_per_unit = crs.axis_info[0].unit_conversion_factor
        areas = shapely.segmentize(areas, EDGE_METRES / metres_per_unit)
    transformer = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)

    def to_degrees(points: Points) -> Points:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    degrees = shapely.transform(areas, to_degrees)
    _check_degrees(degrees, source)
    return _each(degrees, _area_of_all)


def _area_of_all(geometry: shapely.Geometry) -> shapely.Geometry:
    parts = shapely.get_parts(geometry)
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return shapely.union_all([area_on_sphere(polygon) for polygon in polygons])


def _check_degrees(geometries: Geometries, source: Path) -> None:
    points = shapely.get_coordinates(geometries)
    if points.size and not (np.abs(points) <= (540, 90)).all():
        raise BadInput(
            f"{source} has coordinates that are not on the earth: is its coordinate system (CRS) right?"
        )


def _each(geometries: Geometries, change: Any) -> Geometries:
    changed = np.empty(len(geometries), dtype=object)
    changed[:] = [shapely.MultiPolygon() if item is None else change(item) for item in geometries]
    return changed
