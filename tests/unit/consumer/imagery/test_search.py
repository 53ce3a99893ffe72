"""Against a small STAC API on loopback, so that pystac-client's own paging and retries are in play."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from consumer.imagery import search, stac_client
from consumer.imagery.archives import EARTH_SEARCH, PLANETARY_COMPUTER, may_read
from consumer.imagery.search import Catalogue, read_scene
from contract.errors import TryLater

BOX = (-4.6, 54.1, -4.5, 54.2)
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
REAL_ITEMS = Path(__file__).parents[4].parent / "shared" / "data" / "real" / "stac"


def item(name, when, collection="sentinel-2-l2a", **properties):
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": None,
        "links": [],
        "properties": {"datetime": when, **properties},
        "assets": {"B02": {"href": f"http://127.0.0.1/{name}/B02.tif"}},
    }


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        api = self.server
        if self.path == "/":
            links = [
                {
                    "rel": "search",
                    "href": f"{api.url}/search",
                    "type": "application/geo+json",
                    "method": "POST",
                },
                {"rel": "data", "href": f"{api.url}/collections", "type": "application/json"},
            ]
            conforms = [
                f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "item-search", "collections")
            ]
            self.reply(
                {
                    "type": "Catalog",
                    "id": "api",
                    "stac_version": "1.0.0",
                    "description": "x",
                    "links": links,
                    "conformsTo": conforms,
                }
            )
        elif self.path == "/collections/sentinel-2-l2a":
            extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
            self.reply(
                {
                    "type": "Collection",
                    "id": "sentinel-2-l2a",
                    "stac_version": "1.0.0",
                    "description": "x",
                    "license": "x",
                    "extent": extent,
                    "links": [],
                }
            )
        else:
            self.reply({"code": "NotFound"}, status=404)

    def do_POST(self):
        api = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        api.searches.append(body)
        if api.statuses:
            self.reply({"code": "Busy"}, status=api.statuses.pop(0))
            return
        page = body.get("page", 0)
        links = list(api.links)
        if not links and page + 1 < len(api.pages):
            links = [
                {
                    "rel": "next",
                    "href": f"{api.url}/search",
                    "method": "POST",
                    "body": {**body, "page": page + 1},
                }
            ]
        self.reply({"type": "FeatureCollection", "features": api.pages[page], "links": links})

    def reply(self, document, status=200):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr(stac_client.RETRIES, "backoff_factor", 0.0)
    monkeypatch.setattr(stac_client.RETRIES, "backoff_jitter", 0.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.pages, server.searches, server.statuses, server.links = [[]], [], [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def find(api, collection="sentinel-2-l2a"):
    return Catalogue(api.url, PLANETARY_COMPUTER).search(collection, BOX, START, END)


def test_all_pages_are_read_and_scenes_come_in_one_order(api):
    api.pages = [
        [item("c", "2024-06-01T10:00:00Z"), item("a", "2024-06-01T10:00:00Z")],
        [item("b", "2024-05-01T10:00:00.123Z"), item("a", "2024-06-01T10:00:00Z")],
    ]
    assert [scene.id for scene in find(api)] == ["b", "a", "c"]


def test_nothing_but_collection_box_and_dates_is_asked(api):
    find(api)
    assert api.searches == [
        {
            "collections": ["sentinel-2-l2a"],
            "bbox": list(BOX),
            "datetime": "2024-01-01T00:00:00Z/2025-01-01T00:00:00Z",
            "limit": search.PAGE_SIZE,
        }
    ]


def test_scenes_of_the_next_year_and_of_other_collections_are_left_out(api):
    api.pages = [
        [
            item("first", "2024-01-01T00:00:00Z"),
            item("too late", "2025-01-01T00:00:00Z"),
            item("too early", "2023-12-31T23:59:59.999Z"),
            item("foreign", "2024-03-01T00:00:00Z", collection="landsat"),
        ]
    ]
    assert [scene.id for scene in find(api)] == ["first"]


def test_a_busy_catalogue_is_asked_again(api):
    api.pages = [[item("a", "2024-06-01T10:00:00Z")]]
    api.statuses = [429, 503]
    assert len(find(api)) == 1


@pytest.mark.parametrize("status", [429, 500, 503, 403, 400])
def test_a_catalogue_that_keeps_refusing_makes_the_tile_wait(api, status):
    api.statuses = [status] * 10
    with pytest.raises(TryLater, match=r"search of sentinel-2-l2a at http://127\.0\.0\.1"):
        find(api)


def test_a_catalogue_without_the_collection_is_no_empty_year(api):
    with pytest.raises(TryLater, match="sentinel-1-rtc"):
        find(api, "sentinel-1-rtc")


def test_a_catalogue_that_is_away_makes_the_tile_wait(monkeypatch):
    monkeypatch.setattr(stac_client.RETRIES, "backoff_factor", 0.0)
    with pytest.raises(TryLater):
        Catalogue("http://127.0.0.1:9", PLANETARY_COMPUTER).search("sentinel-2-l2a", BOX, START, END)


@pytest.mark.parametrize("broken", [{}, {"id": "x"}, {"properties": {}}, item("x", "not a time")])
def test_answers_that_are_no_scenes_make_the_tile_wait(api, broken):
    api.pages = [[broken]]
    with pytest.raises(TryLater):
        find(api)


def test_a_catalogue_that_lists_the_world_is_stopped(api, monkeypatch):
    monkeypatch.setattr(search, "MAX_SCENES", 10)
    api.pages = [
        [item(f"{page}-{number}", "2024-06-01T10:00:00Z") for number in range(5)] for page in range(4)
    ]
    with pytest.raises(TryLater, match="more than 10 scenes"):
        find(api)
    assert len(api.searches) == 3


def test_an_empty_page_in_the_middle_is_not_the_end(api):
    api.pages = [[item("a", "2024-06-01T10:00:00Z")], [], [item("b", "2024-07-01T10:00:00Z")]]
    assert [scene.id for scene in find(api)] == ["a", "b"]


def test_paging_in_circles_makes_the_tile_wait(api):
    api.pages = [[], []]
    api.links = [{"rel": "next", "href": f"{api.url}/search", "method": "POST", "body": {"page": 1}}]
    with pytest.raises(TryLater, match="circles"):
        find(api)
    assert len(api.searches) == 2


def test_paging_without_an_end_makes_the_tile_wait(api, monkeypatch):
    monkeypatch.setattr(stac_client, "MOST_PAGES", 7)
    api.pages = [[] for _ in range(50)]
    with pytest.raises(TryLater, match="does not end within 7 pages"):
        find(api)


@pytest.mark.parametrize("href", ["http://169.254.169.254/metadata", "/etc/passwd", "file:///etc/passwd"])
def test_a_page_leads_only_to_its_own_catalogue(api, href):
    api.links = [{"rel": "next", "href": href, "method": "GET"}]
    with pytest.raises(TryLater, match="another host"):
        find(api)


def test_an_answer_without_end_is_not_read_to_the_end(api, monkeypatch):
    monkeypatch.setattr(stac_client, "LARGEST_ANSWER_BYTES", 10_000)
    api.pages = [[item(f"{number}", "2024-06-01T10:00:00Z") for number in range(100)]]
    with pytest.raises(TryLater, match="longer than 10000 bytes"):
        find(api)


@pytest.mark.parametrize(
    "href",
    ["http://169.254.169.254/metadata", "https://x.example/B02.tif", "s3://bucket/B02.tif", "/etc/passwd"],
)
def test_a_file_in_a_strange_place_is_named_with_its_scene_and_band(api, href):
    strange = item("a", "2024-06-01T10:00:00Z")
    strange["assets"]["B02"]["href"] = href
    api.pages = [[strange]]
    with pytest.raises(TryLater, match=f"B02 of a lies at {href}"):
        find(api)


@pytest.mark.parametrize(
    ("href", "archive", "is_allowed"),
    [
        ("https://sentinel2l2a01.blob.core.windows.net/c/a.tif", PLANETARY_COMPUTER, True),
        ("https://sentinel2l2a01.blob.core.windows.net/c/a.tif", EARTH_SEARCH, False),
        ("https://sentinel-cogs.s3.us-west-2.amazonaws.com/a.tif", EARTH_SEARCH, True),
        ("https://blob.core.windows.net.evil.example/a.tif", PLANETARY_COMPUTER, False),
        ("https://user@a.blob.core.windows.net/a.tif", PLANETARY_COMPUTER, False),
        ("https://a.blob.core.windows.net:8443/a.tif", PLANETARY_COMPUTER, False),
        ("http://a.blob.core.windows.net/a.tif", PLANETARY_COMPUTER, False),
        ("https://stac.example/files/a.tif", PLANETARY_COMPUTER, True),
        ("http://127.0.0.1:8000/a.tif", PLANETARY_COMPUTER, False),
    ],
)
def test_where_files_may_lie(href, archive, is_allowed):
    assert may_read(href, archive, "https://stac.example/v1") is is_allowed


def test_a_scene_says_when_without_a_zone_in_utc():
    scene = read_scene(item("a", "2024-06-01T23:30:00"), PLANETARY_COMPUTER)
    assert scene.acquired == datetime(2024, 6, 1, 23, 30, tzinfo=UTC)
    assert scene.date == "2024-06-01"
    east = read_scene(item("a", "2024-06-02T01:30:00+02:00"), PLANETARY_COMPUTER)
    assert east.date == "2024-06-01"


@pytest.mark.parametrize(
    ("folder", "archive", "bands", "baseline", "orbit"),
    [
        ("planetary-computer_sentinel-2-l2a", PLANETARY_COMPUTER, 11, "05.10", "ascending"),
        ("earth-search_sentinel-2-l2a", EARTH_SEARCH, 11, "05.11", "unknown"),
        ("planetary-computer_sentinel-1-rtc", PLANETARY_COMPUTER, 2, None, "descending"),
    ],
)
def test_items_as_the_archives_serve_them(folder, archive, bands, baseline, orbit):
    if not REAL_ITEMS.exists():
        pytest.skip("the real items are not on this machine")
    record = json.loads(max((REAL_ITEMS / folder).glob("*.json")).read_text())
    scene = read_scene(record, archive)
    assert len(scene.assets) == bands
    assert all(href.startswith("https://") for href in scene.assets.values())
    assert (scene.baseline, scene.orbit) == (baseline, orbit)
