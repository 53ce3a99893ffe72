"""Why a service could not be heard, in plain words: read out of whatever exception its client raised. Pure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from urllib.parse import urlsplit


class OtherService(ConnectionError):
    """Something answered, but not the service that was asked: a proxy's page, say. `request` has its `url`."""

    def __init__(self, request: object) -> None:
        super().__init__("not the service that was asked")
        self.request = request


# The first that fits counts: several of these are kinds of those further down.
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (
        OtherService,
        "{host} does not answer as a storage service; check its address, and for a proxy before it",
    ),
    (socket.gaierror, "{host} has no address here; check its name and this machine's network"),
    (ConnectionRefusedError, "{host} refuses connections; check that it runs, and its address"),
    (
        ssl.SSLError,
        "no safe connection to {host}; check its address and this machine's certificates and clock",
    ),
    (TimeoutError, "{host} kept silent for too long; try again later, and look at the network if it goes on"),
    (IncompleteRead, "{host} broke off its answer; try again later"),
    (RemoteDisconnected, "{host} cut the connection before it answered; try again later"),
    (BadStatusLine, "{host} gives no HTTP answers; check its address"),
    (ConnectionError, "{host} cut the connection before it answered; try again later"),
)
MAX_REASON_CHARACTERS = 160


def broken_connection(error: BaseException) -> str:
    """Which host, what happened, what to do, and for whoever reads logs the exception that began it."""
    causes = list(_causes(error))
    host = next((host for cause in causes if (host := _host_asked(cause))), "the service")
    for kind, words in _WORDS:
        for cause in causes:
            if isinstance(cause, kind):
                return f"{words.format(host=host)} ({type(cause).__name__})"
    return f"no answer from {host} ({str(error)[:MAX_REASON_CHARACTERS]}); try again later"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that it was made from, each once: clients keep them in different places."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (
            one.__cause__,
            getattr(one, "inner_exception", None),
            getattr(one, "reason", None),
            *one.args,
        )
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]


def _host_asked(cause: BaseException) -> str:
    """Host and port of the request that failed, where the exception has it; never its path, query or user."""
    url = urlsplit(str(getattr(getattr(cause, "request", None), "url", "") or ""))
    return url.netloc.rpartition("@")[2]
