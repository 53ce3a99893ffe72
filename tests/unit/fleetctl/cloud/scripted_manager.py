"""A Resource Manager that answers what a test says, over real HTTP, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class ScriptedManager:
    url: str = ""
    answers: list[tuple[str, str, int, Any, dict[str, str]]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def when(self, method: str, part: str, status: int, body: Any = None, **headers: str) -> None:
        """The newest matching answer counts. `part` is looked for in path and query."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.insert(0, (method, part, status, body, named))

    def answer(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        self.asked.append(asked)
        for method, part, status, body, headers in self.answers:
            if method == asked.method and part in asked.path:
                return status, body, headers
        return 404, {"error": {"code": "ResourceNotFound", "message": "not scripted"}}, {}


@contextmanager
def scripted_manager() -> Iterator[ScriptedManager]:
    manager = ScriptedManager()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            body = json.loads(sent) if sent else None
            status, content, headers = manager.answer(
                Asked(self.command, self.path, dict(self.headers), body)
            )
            data = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  names that http.server looks for

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    manager.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield manager
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
