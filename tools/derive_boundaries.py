"""Make producer/data/boundaries.parquet from packages of the npm and PyPI registries.

    .venv/bin/python tools/derive_boundaries.py

Outlines: world-atlas (Natural Earth 4.1 at 1:10m, public domain, packed as TopoJSON under ISC).
Parts of countries: the outlines of country-coder (ISC) laid over those. Codes, continents and UN
regions: the table of country-converter. Then tools/boundary_corrections.parquet is applied, see
tools/derive_boundary_corrections.py. Why each: docs/decisions/0002-boundaries-and-grid-rule.md.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from topojson_polygons import STEP_DEGREES, read_objects

WORLD_ATLAS = "world-atlas@2.0.2"
COUNTRY_CODER = "@rapideditor/country-coder@5.6.1"

OUTPUT = Path(__file__).parents[1] / "producer" / "data" / "boundaries.parquet"
CORRECTIONS = Path(__file__).with_name("boundary_corrections.parquet")

RENAMED = {"Macedonia": "North Macedonia"}
"""Names that changed since world-atlas was made."""

CONTINENTS = {"Cyprus": "Asia"}
"""As the UN and Natural Earth have it, and so on one continent with the north of the island."""

MOSTLY_ALL = 0.95
"""A part with more than this share of its country ("Mainland China") is not worth its size."""

DISPUTED_PARTS = {"Crimea", "West Bank", "Gaza Strip"}
"""Parts that are left to `--boundaries FILE`: whose they are is not ours to say."""

WHOLLY_DIVIDED = "826"
"""The ISO number of the country whose parts together are to be the whole: the United Kingdom."""

PLACES_WITHOUT_CODE = {  # ISO codes (user-assigned or none), continent, UN region, UN subregion
    "Akrotiri": ("", "", "Asia", "Asia", "Western Asia"),
    "Baikonur": ("", "", "Asia", "Asia", "Central Asia"),
    "Bajo Nuevo Bank": ("", "", "North America", "Americas", "Caribbean"),
    "Bir Tawil": ("", "", "Africa", "Africa", "Northern Africa"),
    "Brazilian I.": ("", "", "South America", "Americas", "South America"),
    "Clipperton I.": ("", "", "North America", "Americas", "Central America"),
    "Coral Sea Is.": ("", "", "Oceania", "Oceania", "Australia and New Zealand"),
    "Cyprus U.N. Buffer Zone": ("", "", "Asia", "Asia", "Western Asia"),
    "Dhekelia": ("", "", "Asia", "Asia", "Western Asia"),
    "Indian Ocean Ter.": ("", "", "Oceania", "Oceania", "Australia and New Zealand"),
    "Kosovo": ("XK", "XKX", "Europe", "Europe", "Southern Europe"),
    "N. Cyprus": ("", "", "Asia", "Asia", "Western Asia"),
    "Scarborough Reef": ("", "", "Asia", "Asia", "South-Eastern Asia"),
    "Serranilla Bank": ("", "", "North America", "Americas", "Caribbean"),
    "Siachen Glacier": ("", "", "Asia", "Asia", "Southern Asia"),
    "Somaliland": ("", "", "Africa", "Africa", "Eastern Africa"),
    "Southern Patagonian Ice Field": ("", "", "South America", "Americas", "South America"),
    "Spratly Is.": ("", "", "Asia", "Asia", "South-Eastern Asia"),
    "USNB Guantanamo Bay": ("", "", "North America", "Americas", "Caribbean"),
}


@dataclass(frozen=True)
class Row:
    """One place, with the column names of Natural Earth's own files, so that one resolver reads both."""

    level: str
    name: str
    geometry: shapely.Geometry
    name_long: str = ""
    formal_en: str = ""
    admin: str = ""
    iso_a2: str = ""
    iso_a3: str = ""
    iso_n3: str = ""
    iso_3166_2: str = ""
    continent: str = ""
    region_un: str = ""
    subregion: str = ""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        atlas = unpack(WORLD_ATLAS, Path(scratch) / "atlas") / "countries-10m.json"
        coder = unpack(COUNTRY_CODER, Path(scratch) / "coder") / "src" / "data" / "borders.json"
        rows = derive(atlas, coder)
    if CORRECTIONS.exists():
        rows = corrected(rows, pq.read_table(CORRECTIONS))
    write(rows, OUTPUT)
    print(f"{OUTPUT}: {len(rows)} places, {OUTPUT.stat().st_size / 1e6:.2f} MB")


def unpack(package: str, folder: Path) -> Path:
    """Fetch one npm package at its pinned version (npm checks its digest) and unpack it."""
    folder.mkdir()
    packed = subprocess.run(
        ["npm", "pack", package, "--silent"], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def derive(atlas: Path, coder: Path) -> list[Row]:
    """Countries, then their parts; not corrected yet."""
    countries = country_rows(atlas)
    return [*countries, *part_rows(coder, countries)]


def country_rows(atlas: Path) -> list[Row]:
    codes = country_codes()
    shapes = [
        (RENAMED.get(properties["name"], properties["name"]), properties["id"], area)
        for properties, area in read_objects(atlas, "countries")
    ]
    shapes += [(name, None, shapely.MultiPolygon()) for name in PLACES_WITHOUT_CODE.keys() - _names(shapes)]
    # Two shapes have Australia's code: the larger one is Australia.
    shapes.sort(key=lambda shape: -shape[2].area)
    rows: dict[str, Row] = {}
    for name, number, area in shapes:
        is_namesake = any(row.iso_n3 == number for row in rows.values() if number)
        rows[name] = _country(name, area, codes[number] if number else {}, has_code=not is_namesake)
    return sorted(rows.values(), key=lambda row: row.name)


def _names(shapes: list[tuple]) -> set[str]:
    return {name for name, _, _ in shapes}


def _country(name: str, area: shapely.Geometry, entry: dict[str, str], *, has_code: bool) -> Row:
    if not entry:
        iso_a2, iso_a3, continent, region_un, subregion = PLACES_WITHOUT_CODE[name]
        return Row(
            "country", name, area, name, "", name, iso_a2, iso_a3, "", "", continent, region_un, subregion
        )
    row = Row(
        level="country",
        name=name,
        geometry=area,
        name_long=entry["name_short"],
        formal_en=entry["name_official"],
        admin=name,
        iso_a2=re.findall("[A-Z]{2}", entry["ISO2"])[0],  # "^GB$|^UK$": a pattern for two countries
        iso_a3=entry["ISO3"],
        iso_n3=entry["ISOnumeric"].zfill(3),
        continent=CONTINENTS.get(name) or entry["Continent_7"] or entry["continent"],
        region_un=entry["continent"].replace("America", "Americas"),
        subregion=entry["UNregion"],
    )
    return row if has_code else replace(row, name_long=name, formal_en="", iso_a2="", iso_a3="", iso_n3="")


def country_codes() -> dict[str, dict[str, str]]:
    """country-converter's table by ISO number, read as text: pandas takes Namibia's "NA" for nothing."""
    text = files("country_converter").joinpath("country_data.tsv").read_text("utf-8")
    return {
        entry["ISOnumeric"].zfill(3): entry for entry in csv.DictReader(text.splitlines(), delimiter="\t")
    }


def part_rows(coder: Path, countries: list[Row]) -> list[Row]:
    """Parts of countries (Scotland, French Guiana, Svalbard): an outline at sea, filled with our own land."""
    features = json.loads(coder.read_text("utf-8"))["features"]
    number_of = {item["properties"].get("iso1A2"): item["properties"].get("iso1N3") for item in features}
    parents = {row.iso_n3: row for row in countries if row.iso_n3}
    country_names = {row.name for row in countries} | {row.name_long for row in countries}
    parts = []
    for item in features:
        about = item["properties"]
        parent = parents.get(number_of.get(about.get("country"), ""))
        is_country = about.get("iso1N3") in parents or about["nameEn"] in country_names
        if not item["geometry"] or parent is None or is_country or about["nameEn"] in DISPUTED_PARTS:
            continue
        outline = shapely.make_valid(shapely.from_geojson(json.dumps(item["geometry"])))
        area = shapely.intersection(parent.geometry, outline)
        if 0 < area.area < MOSTLY_ALL * parent.geometry.area:
            parts.append(_part(about, area, parent))
    return sorted(_complete(parts, parents[WHOLLY_DIVIDED]), key=lambda row: row.name)


def _complete(parts: list[Row], parent: Row) -> list[Row]:
    """Give every piece of a country that no part's outline covers to the part that it is nearest to."""
    own = [row for row in parts if row.admin == parent.name]
    areas = [row.geometry for row in own]
    for piece in shapely.get_parts(shapely.difference(parent.geometry, shapely.union_all(areas))):
        nearest = int(np.argmin(shapely.distance(piece, np.array(areas, dtype=object))))
        areas[nearest] = shapely.union(areas[nearest], piece)
    others = [row for row in parts if row.admin != parent.name]
    return others + [replace(row, geometry=area) for row, area in zip(own, areas, strict=True)]


def _part(about: dict, area: shapely.Geometry, parent: Row) -> Row:
    return Row(
        level="map_unit",
        name=about["nameEn"],
        geometry=area,
        admin=parent.name,
        iso_3166_2=next(
            (alias for alias in about.get("aliases", []) if "-" in alias), about.get("iso1A2", "")
        ),
        continent=parent.continent,
        region_un=parent.region_un,
        subregion=parent.subregion,
    )


def corrected(rows: list[Row], corrections: pa.Table) -> list[Row]:
    """Each named place plus what is to be added, minus what is to be removed."""
    changes = {
        (change["level"], change["name"], change["action"]): shapely.from_wkb(change["geometry"])
        for change in corrections.to_pylist()
    }
    nothing = shapely.MultiPolygon()
    result = []
    for row in rows:
        added, removed = (changes.get((row.level, row.name, action), nothing) for action in ("add", "remove"))
        area = shapely.union(shapely.difference(row.geometry, removed), added)
        result.append(replace(row, geometry=area))
    return [row for row in result if not row.geometry.is_empty]


def write(rows: list[Row], path: Path) -> None:
    """GeoParquet 1.1, WKB, zstd. Longitude and latitude on WGS 84, which is GeoParquet's default CRS."""
    columns = [name for name in Row.__dataclass_fields__ if name != "geometry"]
    data = {name: pa.array([getattr(row, name) or None for row in rows], pa.string()) for name in columns}
    areas = np.array([row.geometry for row in rows], dtype=object)
    multi = [shapely.MultiPolygon(_polygons(area)) for area in areas]
    data["geometry"] = pa.array(shapely.to_wkb(multi), pa.binary())
    about = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon"],
        "bbox": shapely.total_bounds(areas).tolist(),
    }
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": about}}
    table = pa.table(data).replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(table, path, compression="zstd", compression_level=22, use_dictionary=False)


def _polygons(area: shapely.Geometry) -> list[shapely.Polygon]:
    """The polygons of any geometry, without the lines and specks that an overlay may leave beside them."""
    parts = shapely.get_parts(area)
    while (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():
        parts = shapely.get_parts(parts)
    return [part for part in parts if part.area > STEP_DEGREES**2 / 1e3]


if __name__ == "__main__":
    main()
