"""Boundaries from Natural Earth's own kinds of file, made small here with their upper-case columns."""

import io
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyogrio
import pytest
import shapely

from contract.errors import BadInput
from producer import natural_earth
from producer.boundaries import Boundaries, open_boundaries
from producer.place_names import Kind


def write_admin0(path, rows, **options):
    """A file with the columns that Natural Earth's have; `rows` are (class, name, admin, iso, geometry)."""
    columns = list(zip(*rows, strict=True))
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array(columns[4], dtype=object)),
        field_data=[np.array(column, dtype=object) for column in columns[:4]],
        fields=["FEATURECLA", "NAME", "ADMIN", "ISO_A2_EH"],
        geometry_type="Polygon",
        crs="EPSG:4326",
        **options,
    )


UNITS = [
    ("Admin-0 map unit", "Left", "Whole", "WH", shapely.box(0, 0, 1, 1)),
    ("Admin-0 map unit", "Right", "Whole", "WH", shapely.box(1, 0, 2, 1)),
    ("Admin-0 map unit", "Alone", "Alone", "-99", shapely.box(5, 5, 6, 6)),
]


@pytest.mark.parametrize("name", ["units.shp", "units.gpkg", "units.geojson"])
def test_countries_are_put_together_from_map_units(tmp_path, name):
    write_admin0(tmp_path / name, UNITS)
    boundaries = Boundaries.load(tmp_path / name)
    whole = boundaries.find("Whole")
    assert whole.kind is Kind.COUNTRY
    assert whole.geometry.equals(shapely.box(0, 0, 2, 1))
    assert boundaries.find("WH").name == "Whole"
    assert boundaries.find("Left").kind is Kind.PART
    assert not boundaries.has("-99")


def test_a_country_has_the_short_name_of_its_main_unit_only_where_that_is_meant(tmp_path):
    units = [
        ("Admin-0 map unit", "Isle", "Republic of Land", "RL", shapely.box(9, 0, 10, 1)),
        ("Admin-0 map unit", "Land", "Republic of Land", "RL", shapely.box(0, 0, 5, 1)),
        ("Admin-0 map unit", "Bigland", "United Realm", "UR", shapely.box(0, 5, 5, 6)),
        ("Admin-0 map unit", "Smalland", "United Realm", "UR", shapely.box(9, 5, 10, 6)),
    ]
    write_admin0(tmp_path / "units.gpkg", units)
    boundaries = Boundaries.load(tmp_path / "units.gpkg")
    assert (boundaries.find("Land").kind, boundaries.find("Land").geometry.area) == (Kind.COUNTRY, 6)
    assert (boundaries.find("Bigland").kind, boundaries.find("Bigland").geometry.area) == (Kind.PART, 5)
    assert boundaries.find("United Realm").geometry.area == 6


def test_a_zipped_shapefile_is_read_as_it_is(tmp_path):
    write_admin0(tmp_path / "units.shp", UNITS)
    with zipfile.ZipFile(tmp_path / "units.zip", "w") as archive:
        for part in tmp_path.glob("units.[!z]*"):
            archive.write(part, part.name)
    assert Boundaries.load(tmp_path / "units.zip").find("Right").kind is Kind.PART


def test_the_digest_of_a_shapefile_covers_its_names(tmp_path):
    write_admin0(tmp_path / "a.shp", UNITS)
    before = Boundaries.load(tmp_path / "a.shp").sha256
    write_admin0(tmp_path / "a.shp", [(*row[:1], row[1] + "x", *row[2:]) for row in UNITS])
    assert Boundaries.load(tmp_path / "a.shp").sha256 != before


def test_a_file_without_names_is_refused(tmp_path):
    (tmp_path / "area.geojson").write_text(shapely.to_geojson(shapely.box(0, 0, 1, 1)))
    with pytest.raises(BadInput, match="no column NAME"):
        Boundaries.load(tmp_path / "area.geojson")
    with pytest.raises(BadInput, match="no file"):
        Boundaries.load(tmp_path / "absent.shp")


@pytest.fixture
def web(tmp_path):
    """A real web server on loopback over a folder, and its address."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def zipped_shapefile(folder):
    write_admin0(folder / "units.shp", UNITS)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in folder.glob("units.*"):
            archive.write(part, part.name)
            part.unlink()
    return buffer.getvalue()


def test_boundaries_are_downloaded_once_and_kept(web, tmp_path):
    folder, address = web
    (folder / "ne.zip").write_bytes(zipped_shapefile(folder))
    cache = tmp_path / "cache"
    kept = natural_earth.download(cache, f"{address}/ne.zip")
    assert Boundaries.load(kept).find("Whole").kind is Kind.COUNTRY
    (folder / "ne.zip").unlink()
    assert natural_earth.download(cache, f"{address}/ne.zip") == kept
    assert [path.name for path in cache.iterdir()] == ["ne.zip"]


def test_what_was_downloaded_once_is_used_offline(tmp_path):
    kept = tmp_path / natural_earth.URL.rpartition("/")[2]
    kept.write_bytes(zipped_shapefile(tmp_path))
    assert open_boundaries("natural-earth", tmp_path).find("Whole").kind is Kind.COUNTRY


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html>please log in</html>", "did not send a zip file"),
        (b"PK\x05\x06" + bytes(18), "did not send a whole shapefile"),
    ],
)
def test_what_is_not_the_expected_file_is_not_kept(web, tmp_path, content, sentence):
    folder, address = web
    (folder / "ne.zip").write_bytes(content)
    with pytest.raises(BadInput, match=sentence):
        natural_earth.download(tmp_path / "cache", f"{address}/ne.zip")
    assert list((tmp_path / "cache").iterdir()) == []


def test_half_a_file_is_not_kept(web, tmp_path):
    folder, address = web
    whole = zipped_shapefile(folder)
    (folder / "ne.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="did not send"):
        natural_earth.download(tmp_path / "cache", f"{address}/ne.zip")


def test_a_file_that_is_too_large_is_refused(web, tmp_path, monkeypatch):
    folder, address = web
    (folder / "ne.zip").write_bytes(bytes(2000))
    monkeypatch.setattr(natural_earth, "MAX_BYTES", 1000)
    with pytest.raises(BadInput, match="more than 1000 bytes"):
        natural_earth.download(tmp_path / "cache", f"{address}/ne.zip")


def test_offline_the_remedies_are_named(web, tmp_path):
    _, address = web
    with pytest.raises(BadInput, match=r"could not be downloaded .*404.*--boundaries FILE"):
        natural_earth.download(tmp_path / "cache", f"{address}/absent.zip")
    with pytest.raises(BadInput, match=r"could not be downloaded .*--boundaries FILE"):
        natural_earth.download(tmp_path / "cache", "http://127.0.0.1:9/ne.zip")
