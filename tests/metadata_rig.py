"""A metadata service on loopback that answers what a test tells it to, badly if need be."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWERS = Path(__file__).parent / "unit" / "consumer" / "notices" / "answers"
EVENTS = "/metadata/scheduledevents"
COMPUTE = "/metadata/instance/compute"
RECORDED_AT = "Mon, 02 Mar 2026 10:00:00 GMT"
"""The date that goes with the recorded answers."""


@dataclass(frozen=True)
class Say:
    """One answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """Promised, when it is not the body's."""


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]


def recorded(name: str, **headers: str) -> Say:
    """A recorded answer, at the time of its recording."""
    return Say((ANSWERS / name).read_bytes(), headers={"Date": RECORDED_AT, **headers})


class MetadataRig:
    """What the service answers by path (without its query), and what it was asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: dict[str, Say | Callable[[Asked], Say]] = {}
        self.asked: list[Asked] = []
        self.hangs = threading.Event()
        self.released = threading.Event()

    def answer(self, asked: Asked) -> Say:
        self.asked.append(asked)
        if self.hangs.is_set():
            self.released.wait(60)
        said = self.answers.get(asked.path.partition("?")[0], Say(status=404))
        return said(asked) if callable(said) else said

    def announce(self, vm: str, kind: str, seconds: float, *, incarnation: int = 2, now: float) -> None:
        """From now on Azure announces an event to that machine."""
        event = {
            "EventId": f"event-{incarnation}",
            "EventType": kind,
            "EventStatus": "Scheduled",
            "ResourceType": "VirtualMachine",
            "Resources": [vm],
            "NotBefore": formatdate(now + seconds, usegmt=True),
        }
        document = {"DocumentIncarnation": incarnation, "Events": [event]}
        self.answers[EVENTS] = Say(json.dumps(document).encode())

    def be_azure(self, vm: str) -> None:
        """A machine of that name to which nothing happens."""
        self.answers[COMPUTE] = Say(json.dumps({"name": vm}).encode())
        self.answers[EVENTS] = Say(b'{"DocumentIncarnation": 1, "Events": []}')


@contextmanager
def metadata_service() -> Iterator[MetadataRig]:
    """One service, ended with the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            said = rig.answer(Asked(self.command, self.path, dict(self.headers)))
            self.send_response_only(said.status)
            headers = {"Date": self.date_time_string(), **said.headers}
            length = len(said.body) if said.length is None else said.length
            for name, value in {**headers, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)
            self.close_connection = said.length is not None

        do_PUT = do_POST = do_GET  # noqa: N815 - as the server calls it

        def log_message(self, *_words: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_words: object) -> None:
            pass  # the client had enough

    server = Server(("127.0.0.1", 0), Handler)
    rig = MetadataRig(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield rig
    finally:
        rig.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
