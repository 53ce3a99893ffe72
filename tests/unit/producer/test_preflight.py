"""Is there imagery at all: against a small catalogue on loopback, with its good answers and its bad ones."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from contract.errors import BadInput
from contract.tile_id import parse_tile
from producer import preflight
from producer.preflight import box_around, check_imagery

COLLECTIONS = ("sentinel-2-l2a", "sentinel-1-rtc")


def cells(*names):
    return np.array([(cell.row, cell.column) for cell in map(parse_tile, names)], dtype=np.int16)


MAN = cells("grid_-4.75_54.05", "grid_-4.35_54.35")


class Api(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, asked))
        status, answer = self.server.answer(asked)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - self.server.bytes_kept_back])

    def log_message(self, *args):
        pass


@pytest.fixture
def api():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    server.url, server.asked = f"http://127.0.0.1:{server.server_port}", []
    server.answer, server.bytes_kept_back = lambda asked: (200, {"features": [{"id": "a"}]}), 0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_scene_of_each_collection_is_all_that_is_asked_for(api):
    assert check_imagery(api.url + "/", COLLECTIONS, MAN, [2024]) == []
    assert [path for path, _ in api.asked] == ["/search", "/search"]
    assert api.asked[0][1] == {
        "collections": ["sentinel-2-l2a"],
        "bbox": [pytest.approx(-4.8), pytest.approx(54.0), pytest.approx(-4.3), pytest.approx(54.4)],
        "datetime": "2024-01-01T00:00:00Z/2024-12-31T23:59:59Z",
        "limit": 1,
    }


def test_a_year_without_any_imagery_is_refused_with_what_to_do(api):
    api.answer = lambda asked: (200, {"features": [] if asked["datetime"].startswith("2030") else [{}]})
    with pytest.raises(
        BadInput, match=r"no scene of sentinel-2-l2a or sentinel-1-rtc .* in 2030.*--no-preflight"
    ):
        check_imagery(api.url, COLLECTIONS, MAN, [2024, 2030])


def test_a_collection_that_is_missing_alone_is_said_and_no_reason_to_stop(api):
    api.answer = lambda asked: (200, {"features": [{}] if asked["collections"] == ["sentinel-2-l2a"] else []})
    (warning,) = check_imagery(api.url, COLLECTIONS, MAN, [2024])
    assert "no scene of sentinel-1-rtc" in warning


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (503, {}, "HTTP 503"),
        (302, {}, "HTTP 302"),
        (200, b"<html>", "no list of scenes"),
        (200, {"features": "all"}, "no list of scenes"),
        (200, [], "no list of scenes"),
        (200, b" " * 3000, "no end"),
    ],
)
def test_a_catalogue_that_makes_no_sense_is_a_warning(api, monkeypatch, status, answer, said):
    monkeypatch.setattr(preflight, "LARGEST_ANSWER_BYTES", 2000)
    api.answer = lambda asked: (status, answer)
    (warning,) = check_imagery(api.url, COLLECTIONS, MAN, [2024])
    assert said in warning
    assert "going on" in warning


def test_a_catalogue_that_is_away_is_a_warning():
    (warning,) = check_imagery("http://127.0.0.1:9", COLLECTIONS, MAN, [2024])
    assert "127.0.0.1:9 refuses connections; check that it runs, and its address" in warning


def test_an_answer_that_breaks_off_is_a_warning(api):
    api.bytes_kept_back = 10
    api.answer = lambda asked: (200, {"features": [{"id": "one"}]})
    (warning,) = check_imagery(api.url, COLLECTIONS, MAN, [2024])
    assert "broke off its answer" in warning


def test_a_recipe_without_imagery_asks_nothing(api):
    assert check_imagery(api.url, (), MAN, [2024]) == []
    assert api.asked == []


def test_the_box_holds_every_cell():
    assert box_around(cells("grid_0.05_0.05")) == pytest.approx((0.0, 0.0, 0.1, 0.1))
    west, _, east, _ = box_around(cells("grid_-179.95_-16.55", "grid_179.95_-16.55"))
    assert (west, east) == pytest.approx((-180, 180))
