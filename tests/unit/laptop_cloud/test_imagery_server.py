import json
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from laptop_cloud import imagery_server

CONTENT = bytes(range(256)) * 16


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "root"
    (root / "scene").mkdir(parents=True)
    (root / "scene" / "B04.tif").write_bytes(CONTENT)
    (tmp_path / "secret.txt").write_text("outside of the root")
    with imagery_server.running(root, tmp_path / "server.log") as url:
        yield url


def ask(url, method="GET", **headers):
    request = urllib.request.Request(url, method=method, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.status, dict(answer.headers), answer.read()


def stats_of(url):
    return json.loads(ask(url + imagery_server.STATS_PATH)[2])


def test_a_range_of_bytes_is_answered_with_that_range(server):
    status, headers, body = ask(server + "/scene/B04.tif", Range="bytes=100-355")
    assert (status, body) == (206, CONTENT[100:356])
    assert headers["Content-Range"] == f"bytes 100-355/{len(CONTENT)}"


def test_head_tells_the_length_and_that_ranges_are_welcome(server):
    status, headers, body = ask(server + "/scene/B04.tif", method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == str(len(CONTENT))
    assert headers["Accept-Ranges"] == "bytes"


def test_the_counts_tell_how_files_were_read(server):
    ask(server + "/scene/B04.tif", method="HEAD")
    ask(server + "/scene/B04.tif", Range="bytes=0-99")
    ask(server + "/scene/B04.tif")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(server + "/scene/B99.tif")
    assert stats_of(server) == {
        "requests": 4,
        "heads": 1,
        "range_requests": 1,
        "whole_files": 1,
        "failures": 1,
        "bytes_sent": 100 + len(CONTENT),
        "at_once": 0,
        "most_at_once": 1,
    }


@pytest.mark.parametrize(("limit", "seen"), [(2, {2}), (0, set(range(3, 9)))])
@pytest.mark.slow
def test_no_more_requests_than_wanted_are_answered_at_once(tmp_path, limit, seen):
    (tmp_path / "B04.tif").write_bytes(CONTENT)
    # The delay keeps eight requests in the server together.
    options = {"delay_ms": 200, "max_connections": limit}
    with (
        imagery_server.running(tmp_path, tmp_path / "server.log", **options) as url,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = list(threads.map(lambda _: ask(url + "/B04.tif"), range(8)))
        stats = stats_of(url)
    assert all(body == CONTENT for _, _, body in answers)
    assert stats["most_at_once"] in seen


def test_files_outside_of_the_root_are_not_served(server):
    with pytest.raises(urllib.error.HTTPError, match=r"40[34]"):
        ask(server + "/scene/%2e%2e/%2e%2e/secret.txt")


def test_a_missing_root_is_refused_in_one_sentence(tmp_path):
    command = [
        sys.executable,
        "-m",
        "laptop_cloud.imagery_server",
        "--root",
        str(tmp_path / "no"),
        "--port",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no folder of images at" in done.stderr
