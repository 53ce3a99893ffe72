"""A storage on loopback that answers byte ranges, and fails in the ways that storages do."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Storage:
    """Files by path; each failure in `failures` is used up by one request, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.serves_ranges = True
        self.failures: deque[int | str] = deque()
        self.fails_when: Callable[[str, str], int | None] = lambda method, target: None
        """(method, path with query) -> the status of a lasting failure."""
        self.requests: list[tuple[str, str, str | None]] = []
        """(method, path with query, Range header)"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        storage = self.server.storage
        asked = self.headers.get("Range")
        storage.requests.append((self.command, self.path, asked))
        failure = storage.fails_when(self.command, self.path)
        if failure is None and storage.failures:
            failure = storage.failures.popleft()
        body = storage.files.get(self.path.partition("?")[0])
        if body is None and failure is None:
            failure = 404
        if isinstance(failure, int):
            self.respond(failure, b"")
            return
        self.serve(body, asked, is_cut=failure == "cut")

    def serve(self, body, asked, *, is_cut):
        total, status, headers = len(body), 200, {}
        if asked and self.server.storage.serves_ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            end = min(int(last or total - 1), total - 1)
            body = body[int(first) : end + 1]
            status, headers = 206, {"Content-Range": f"bytes {first}-{end}/{total}"}
        self.respond(status, body, headers, is_cut=is_cut)

    def respond(self, status, body, headers=None, *, is_cut=False):
        self.send_response(status)
        for name, value in {"Accept-Ranges": "bytes", "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if is_cut else body)
        self.close_connection = self.close_connection or is_cut

    def log_message(self, *args):
        pass


@pytest.fixture
def storage():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.storage = Storage(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.storage
    server.shutdown()
    thread.join()
    server.server_close()
