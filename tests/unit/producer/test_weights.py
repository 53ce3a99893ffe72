"""Weights from a file, the web and the container: known by digest, kept once, refused in a sentence."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from contract import artifact_names
from contract.blob_stores.simulated import SimulatedBlobStore
from contract.errors import BadInput
from producer.weights import PinnedWeights, fetch_weights, keep_weights

CONTENT = b"numbers" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
LIMIT = 10_000


class Site(BaseHTTPRequestHandler):
    """A small web site with every fault that a person could meet."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/moved":
            self._redirect("/weights.pt")
        elif path == "/elsewhere":
            self._redirect("http://example.org/weights.pt")
        elif path == "/round":
            self._redirect("/round")
        elif path == "/endless":
            self._answer(200, [CONTENT] * 4, length=None)
        elif path == "/torn":
            self._answer(200, [CONTENT[:100]], length=len(CONTENT))
        elif path == "/empty":
            self._answer(200, [b""], length=0)
        elif path == "/weights.pt":
            self._answer(200, [CONTENT], length=len(CONTENT))
        else:
            self._answer(404, [b"no"], length=2)

    def _redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, parts: list[bytes], length: int | None) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        for part in parts:
            self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def store() -> SimulatedBlobStore:
    return SimulatedBlobStore()


def fetch(text, store, folder):
    return fetch_weights(text, store, folder, limit_bytes=LIMIT)


def test_a_file_is_pinned_by_its_digest_and_uploaded_once(store, tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(CONTENT)
    pinned = fetch(str(path), store, tmp_path)
    assert pinned == PinnedWeights(DIGEST, path)
    assert list(store.names("")) == []
    assert [keep_weights(pinned, store), keep_weights(pinned, store)] == [True, False]
    assert store.read(artifact_names.weights(DIGEST)).data == CONTENT


@pytest.mark.parametrize("page", ["/weights.pt", "/moved", "/weights.pt?sig=secret"])
def test_an_address_is_read_once_and_pinned(site, page, store, tmp_path):
    pinned = fetch(site + page, store, tmp_path)
    assert pinned.sha256 == DIGEST
    assert keep_weights(pinned, store)
    assert store.read(artifact_names.weights(DIGEST)).data == CONTENT


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("/elsewhere", r"over https only, not from http://example\.org"),
        ("/round", "redirects more than 5 times"),
        ("/endless", "weights may have 10000"),
        ("/torn", "could not be read"),
        ("/empty", "is empty"),
        ("/missing?sig=secret", r"/missing answered 404"),
    ],
)
def test_an_address_that_does_not_serve_is_refused(site, page, sentence, store, tmp_path):
    with pytest.raises(BadInput, match=sentence) as caught:
        fetch(site + page, store, tmp_path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://example.org/w.pt", "ftp://127.0.0.1/w.pt", "file:///etc/passwd", "https://"]
)
def test_only_https_or_this_machine(address, store, tmp_path):
    with pytest.raises(BadInput, match="over https only"):
        fetch(address, store, tmp_path)


def test_nobody_listening_is_said_so(store, tmp_path):
    with pytest.raises(BadInput, match=r"127\.0\.0\.1:9/w\.pt could not be read"):
        fetch("http://127.0.0.1:9/w.pt", store, tmp_path)


def test_a_blob_is_pinned_by_what_it_holds(store, tmp_path):
    store.put("uploads/w.pt", CONTENT)
    pinned = fetch("blob:uploads/w.pt", store, tmp_path)
    assert pinned.sha256 == DIGEST
    assert keep_weights(pinned, store)
    assert fetch(f"blob:weights/{DIGEST}", store, tmp_path) == PinnedWeights(DIGEST, None)


@pytest.mark.parametrize("name", ["uploads/none.pt", f"weights/{DIGEST}"])
def test_a_missing_blob_is_named(name, store, tmp_path):
    with pytest.raises(BadInput, match=f"no blob '{name}'"):
        fetch(f"blob:{name}", store, tmp_path)


def test_missing_empty_and_oversized_files_are_named(store, tmp_path):
    (tmp_path / "empty.pt").touch()
    (tmp_path / "big.pt").write_bytes(b"x" * (LIMIT + 1))
    for name, sentence in (
        ("none.pt", "no weights file"),
        ("empty.pt", "is empty"),
        ("big.pt", "10001 bytes"),
    ):
        with pytest.raises(BadInput, match=sentence):
            fetch(str(tmp_path / name), store, tmp_path)


def test_a_half_uploaded_file_of_another_length_is_written_again(store, tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(CONTENT)
    store.put(artifact_names.weights(DIGEST), CONTENT[:10])
    assert keep_weights(fetch(str(path), store, tmp_path), store)
