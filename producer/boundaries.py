"""Where the named places of the earth are: names to polygons.

Shipped with the package (Natural Earth by way of world-atlas), or read from Natural Earth's own
admin-0 files, which know more parts of countries, or downloaded once.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import as_file, files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from contract.errors import BadInput
from producer.grid import polygons_of
from producer.natural_earth import download
from producer.place_names import Kind, PlaceNames, Row, folded
from producer.vector_files import Geometries, Layer, areas_in_degrees, read_layers

MISSING = ("", "-99", "-099")
"""What Natural Earth writes where it has no value."""

SIDECARS = (".dbf", ".prj", ".cpg", ".shx")
"""Files beside a shapefile that say what it means."""


@dataclass(frozen=True, slots=True)
class Place:
    """An area with a name."""

    name: str
    """As the boundary file spells it."""
    kind: Kind
    geometry: shapely.Geometry
    """EPSG:4326, valid, cut at +-180. The parts of a continent lie side by side, not merged."""


class Boundaries:
    """All places of one boundary file."""

    def __init__(self, rows: list[Row], areas: Geometries, sha256: str, source: str) -> None:
        self._rows = rows
        self._areas = areas
        self._names = PlaceNames(rows, _aliases())
        self.sha256 = sha256
        """Of the boundary file's bytes."""
        self.source = source
        """Where the boundaries came from, for people."""

    @classmethod
    def shipped(cls) -> Boundaries:
        """Those that come with the package; they work offline."""
        with as_file(files("producer").joinpath("data/boundaries.parquet")) as path:
            found = cls.load(path)
        found.source = "the boundaries shipped with tilefleet"
        return found

    @classmethod
    def load(cls, path: Path) -> Boundaries:
        """Those of a GeoParquet, or any vector file that GDAL reads, with Natural Earth's columns.

        BadInput when there is no such file, or it is something else.
        """
        layer = read_layers(path)[0]
        if "name" not in layer.fields:
            raise BadInput(f"{path} has no column NAME: --boundaries takes Natural Earth's admin-0 files")
        areas = areas_in_degrees(layer, path)
        rows = _rows(layer)
        return cls(*_with_countries(rows, areas), _digest(path), str(path))

    @classmethod
    def download(cls, cache_folder: Path) -> Boundaries:
        """Natural Earth's newest map units, fetched once and kept; BadInput when that cannot be."""
        return cls.load(download(cache_folder))

    def find(self, name: str) -> Place:
        """The place of that name or code; BadInput with the most similar name when there is none."""
        meaning = self._names.meaning(name)
        polygons = polygons_of(self._areas[list(meaning.rows)])
        return Place(meaning.name, meaning.kind, shapely.MultiPolygon(list(polygons)))

    def has(self, name: str) -> bool:
        return self._names.has(name)

    def land_flatgeobuf(self) -> bytes:
        """All countries' polygons one by one (EPSG:4326, no fields) as FlatGeobuf with its spatial index.

        For a tile's land mask: a reader asks for a bounding box and decodes only what is near.
        """
        import pyogrio  # noqa: PLC0415  takes a second to load, and most enqueues find the land stored

        is_country = np.array([row["level"] == Kind.COUNTRY for row in self._rows])
        polygons = polygons_of(self._areas[is_country])
        written = BytesIO()
        pyogrio.raw.write(
            written,
            geometry=shapely.to_wkb(polygons),
            field_data=[],
            fields=[],
            driver="FlatGeobuf",
            layer="land",
            geometry_type="Polygon",
            crs="EPSG:4326",
        )
        return written.getvalue()


def open_boundaries(choice: str | None, cache_folder: Path) -> Boundaries:
    """What `--boundaries` says: nothing (the shipped ones), `natural-earth` (downloaded once), or a file."""
    if not choice:
        return Boundaries.shipped()
    if choice == "natural-earth":
        return Boundaries.download(cache_folder)
    return Boundaries.load(Path(choice).expanduser())


def _aliases() -> dict[str, list[str]]:
    text = files("producer").joinpath("data/aliases.json").read_text("utf-8")
    aliases: dict[str, list[str]] = json.loads(text)
    return aliases


def _rows(layer: Layer) -> list[Row]:
    """The layer's fields row by row, Natural Earth's several words for nothing as None."""
    columns = {name: [_text(value) for value in values] for name, values in layer.fields.items()}
    levels = columns.get("level") or [
        _level(kind) for kind in columns.get("featurecla", [None] * len(layer.geometries))
    ]
    columns["level"] = levels
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() not in MISSING else None


def _level(feature_class: str | None) -> str:
    """Natural Earth says "Admin-0 country" or "Admin-0 map unit", in changing case."""
    return Kind.PART if "map unit" in (feature_class or "").lower() else Kind.COUNTRY


def _with_countries(rows: list[Row], areas: Geometries) -> tuple[list[Row], Geometries]:
    """A file of map units alone also gets its countries: all units under one administration together."""
    if any(row["level"] == Kind.COUNTRY for row in rows):
        return rows, areas
    sizes = shapely.area(areas)
    members: dict[str, list[int]] = {}
    for number in np.argsort(-sizes, kind="stable").tolist():
        members.setdefault(rows[number].get("admin") or rows[number]["name"] or "", []).append(number)
    countries = [
        _country_of([rows[number] for number in numbers], admin) for admin, numbers in members.items()
    ]
    merged = np.empty(len(countries), dtype=object)
    merged[:] = [shapely.union_all(areas[numbers]) for numbers in members.values()]
    return [*countries, *rows], np.concatenate([merged, areas])


def _country_of(units: list[Row], admin: str) -> Row:
    """The row of a country from its units, the largest first: codes and continent are that one's.

    So is its short name where that is meant: "Tanzania" of the United Republic of Tanzania is also the
    name of its mainland, but England is not the name of the United Kingdom.
    """
    main = units[0]
    is_namesake = len(units) == 1 or folded(admin).endswith(folded(main["name"] or ""))
    names = {} if is_namesake else {"name": admin, "name_long": None, "name_en": None, "formal_en": None}
    return {**main, **names, "level": Kind.COUNTRY, "admin": admin}


def _digest(path: Path) -> str:
    """Of the file's bytes, and for a shapefile those of the files beside it."""
    digest = hashlib.sha256(path.read_bytes())
    if path.suffix.lower() == ".shp":
        for sidecar in (path.with_suffix(suffix) for suffix in SIDECARS):
            digest.update(sidecar.read_bytes() if sidecar.exists() else b"")
    return digest.hexdigest()
