"""Serves the metrics over HTTP: on loopback to anybody, anywhere else only to who brings the token."""

from __future__ import annotations

import hmac
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from contract.errors import BadInput
from contract.fleet import LOOPBACK_HOSTS

REQUEST_SECONDS = 10.0
LOOPBACK = "127.0.0.1"
PATH = "/metrics"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to serve."""

    host: str
    port: int
    """0: any free one."""

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS


def parse_address(text: str) -> Address:
    """`HOST:PORT`, or a port of this machine alone; BadInput for anything else."""
    host, colon, port = text.strip().rpartition(":")
    host = host if colon else LOOPBACK
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadInput(
            f"{text[:60]!r} is no address to serve metrics at: write HOST:PORT, such as 127.0.0.1:9464"
        )
    return Address(host.strip("[]"), int(port))


def serve(registry: CollectorRegistry, address: Address, token: str) -> ThreadingHTTPServer:
    """Serve in a thread until `shutdown`. BadInput for an address that cannot be had, or that others reach and no
    token guards."""
    if not address.is_loopback and not token:
        raise BadInput(
            f"metrics at {address.host} can be read by others: set TILEFLEET_FLEETCTL_METRICS_TOKEN, "
            "or serve them at 127.0.0.1"
        )
    demanded = "" if address.is_loopback else token

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != PATH:
                self.send_error(HTTPStatus.NOT_FOUND)
            elif demanded and not _brings(self.headers.get("Authorization", ""), demanded):
                self.send_error(HTTPStatus.UNAUTHORIZED)
            else:
                body = generate_latest(registry)
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", CONTENT_TYPE_LATEST)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """A scrape every few seconds is no news."""

    try:
        server = ThreadingHTTPServer((address.host, address.port), Handler)
    except OSError as error:
        raise BadInput(
            f"metrics cannot be served at {address.host}:{address.port}: {error.strerror}"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _brings(header: str, token: str) -> bool:
    return hmac.compare_digest(header.encode(), f"Bearer {token}".encode())
