"""Vector files as regions: formats, coordinate systems, and what is wrong with some of them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import shapely

from contract.errors import BadInput
from producer import vector_files
from producer.boundaries import Boundaries
from producer.region import resolve

AREA = shapely.box(-4.75, 54.05, -4.35, 54.35)
CELLS_OF_AREA = [[row, column] for row in range(540, 544) for column in range(-48, -43)]


@pytest.fixture(scope="module")
def shipped():
    return Boundaries.shipped()


@pytest.fixture
def cells(shipped):
    return lambda path: resolve([str(path)], boundaries=shipped).cells.tolist()


def write(path, *geometries, crs="EPSG:4326", **options):
    pyogrio.raw.write(
        path,
        geometry=shapely.to_wkb(np.array(geometries, dtype=object)),
        field_data=[np.arange(len(geometries))],
        fields=["number"],
        geometry_type=geometries[0].geom_type,
        crs=crs,
        **options,
    )


def projected(area, crs):
    transformer = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    return shapely.transform(area, transformer.transform, interleaved=False)


@pytest.mark.parametrize("name", ["area.geojson", "area.gpkg", "area.shp", "area.fgb", "area.gml"])
def test_every_common_format_gives_the_same_tiles(cells, tmp_path, name):
    write(tmp_path / name, AREA)
    assert cells(tmp_path / name) == CELLS_OF_AREA


@pytest.mark.parametrize("crs", ["EPSG:32630", "EPSG:27700", "EPSG:3857", "EPSG:3035", "EPSG:4277"])
def test_other_coordinate_systems_are_reprojected(cells, tmp_path, crs):
    # Edges in mid-cell: the datums differ by up to 150 m, the cells by none.
    write(tmp_path / "area.gpkg", projected(shapely.segmentize(AREA, 0.01), crs), crs=crs)
    assert cells(tmp_path / "area.gpkg") == CELLS_OF_AREA


def test_a_long_projected_edge_is_followed_along_its_curve(cells, tmp_path):
    # 4,000 km along one northing of the European grid: the ends lie nearly four degrees south of the middle.
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True).transform(10, 55)
    write(tmp_path / "strip.gpkg", shapely.box(x - 2e6, y, x + 2e6, y + 1000), crs="EPSG:3035")
    found = cells(tmp_path / "strip.gpkg")
    assert [550, 100] in found
    assert min(row for row, _ in found) < 515
    assert not any(row < 545 and 50 < column < 150 for row, column in found)


def test_a_projected_area_may_cross_the_antimeridian(cells, tmp_path):
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:32760", always_xy=True).transform(180, -16.95)
    write(tmp_path / "taveuni.gpkg", shapely.box(x - 15e3, y - 1000, x + 15e3, y + 1000), crs="EPSG:32760")
    assert cells(tmp_path / "taveuni.gpkg") == [[-170, -1800], [-170, -1799], [-170, 1798], [-170, 1799]]


def test_longitudes_beyond_180_go_on_on_the_other_side(cells, tmp_path):
    write(tmp_path / "fiji.geojson", shapely.box(179.95, -17, 180.05, -16.9), RFC7946="NO")
    assert cells(tmp_path / "fiji.geojson") == [[-170, -1800], [-170, 1799]]


def test_all_layers_and_features_add_up(cells, tmp_path):
    path = tmp_path / "layers.gpkg"
    write(path, shapely.box(0, 0, 0.1, 0.1), shapely.box(0.05, 0, 0.2, 0.1), layer="one")
    write(path, shapely.box(1, 1, 1.1, 1.1), layer="two", append=True)
    write(path, shapely.Point(5, 5), layer="points", append=True)
    assert cells(path) == [[0, 0], [0, 1], [10, 10]]


def test_an_area_that_crosses_itself_is_repaired(cells, tmp_path):
    write(tmp_path / "bow.geojson", shapely.Polygon([(0, 0), (0.2, 0.2), (0.2, 0), (0, 0.2)]))
    assert cells(tmp_path / "bow.geojson") == [[0, 0], [0, 1], [1, 0], [1, 1]]


def geoparquet(path, **about):
    column = {"encoding": "WKB", "geometry_types": [], **about}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    table = pa.table({"geometry": [shapely.to_wkb(AREA)]})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)


def test_geoparquet_is_read_too(cells, tmp_path, shipped):
    path = tmp_path / "area.parquet"
    geoparquet(path)
    assert cells(path) == CELLS_OF_AREA
    geoparquet(path, crs=json.loads(pyproj.CRS("EPSG:4326").to_json()))
    assert cells(path) == CELLS_OF_AREA


def refusal(boundaries, path):
    with pytest.raises(BadInput) as refused:
        resolve([str(path)], boundaries=boundaries)
    return str(refused.value)


def test_a_file_without_a_coordinate_system_is_refused(shipped, tmp_path):
    write(tmp_path / "area.shp", AREA)
    (tmp_path / "area.prj").unlink()
    assert "does not say its coordinate system (CRS)" in refusal(shipped, tmp_path / "area.shp")
    geoparquet(tmp_path / "area.parquet", crs=None)
    assert "does not say its coordinate system (CRS)" in refusal(shipped, tmp_path / "area.parquet")


def test_a_file_without_an_area_is_refused(shipped, tmp_path):
    write(tmp_path / "track.geojson", shapely.LineString([(0, 0), (1, 1)]))
    assert "holds no polygon" in refusal(shipped, tmp_path / "track.geojson")
    (tmp_path / "empty.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    assert "holds no polygon" in refusal(shipped, tmp_path / "empty.geojson")


def test_metres_that_claim_to_be_degrees_are_refused(shipped, tmp_path):
    write(tmp_path / "area.gpkg", shapely.box(400000, 6000000, 500000, 6100000), crs="EPSG:4326")
    assert "not on the earth" in refusal(shipped, tmp_path / "area.gpkg")


def test_what_is_no_vector_file_is_refused(shipped, tmp_path):
    for name in ("noise.geojson", "noise.gpkg", "noise.parquet", "noise.zip"):
        (tmp_path / name).write_bytes(b"\x00not a map\xff" * 20)
        assert name in refusal(shipped, tmp_path / name)
    assert "is a folder" in refusal(shipped, tmp_path)


def test_a_file_that_is_too_large_is_refused(shipped, tmp_path, monkeypatch):
    write(tmp_path / "area.geojson", AREA)
    monkeypatch.setattr(vector_files, "MAX_FILE_BYTES", 100)
    assert "more than the 100 that are read" in refusal(shipped, tmp_path / "area.geojson")


def test_the_name_of_a_place_wins_over_a_file_of_that_name(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "area.geojson", AREA)
    (tmp_path / "area.geojson").rename("Malta")
    assert len(resolve(["Malta"], boundaries=shipped).cells) == 9
    assert resolve(["./Malta"], boundaries=shipped).cells.tolist() == CELLS_OF_AREA
