"""One GET with a byte range over connections that are kept: statuses and bodies as values, nothing followed."""

from __future__ import annotations

import re
from dataclasses import dataclass

import urllib3

from consumer.imagery.answers import read_retry_after

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
"""Between two pieces of an answer."""
POOL_SIZE = 128
"""Connections kept to a host; more are made when needed and closed after use."""
ERROR_BODY_BYTES = 1 << 16
"""Read of a refusal, so that its connection can be used again."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` None: nothing, or it broke off; `detail` says how."""

    status: int | None
    detail: str
    body: bytes = b""
    first_byte: int = 0
    """Where in the file `body` begins."""
    total_bytes: int = 0
    """Of the whole file."""
    etag: str = ""
    retry_after_seconds: float | None = None


class Connections:
    """A pool per host, shared by all threads."""

    def __init__(self) -> None:
        self._pools = urllib3.PoolManager(
            num_pools=16,
            maxsize=POOL_SIZE,
            block=False,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )

    def get(self, url: str, first: int, last: int) -> Answer:
        """Bytes first..last, or as many of them as there are. Never raises for what a server does."""
        headers = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        try:
            response = self._pools.request("GET", url, headers=headers, redirect=False, preload_content=False)
            try:
                return _read(response, wanted=last - first + 1)
            finally:
                if response.length_remaining != 0:
                    response.close()  # what is still on its way would be taken for the next answer
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Answer(None, f"no answer ({type(error).__name__})")


def _read(response: urllib3.BaseHTTPResponse, wanted: int) -> Answer:
    status = response.status
    if status not in (200, 206):
        response.read(ERROR_BODY_BYTES)
        return Answer(
            status,
            f"HTTP {status} {response.reason or ''}".strip(),
            retry_after_seconds=read_retry_after(response.headers.get("Retry-After")),
        )
    body = response.read(wanted)
    first, total = _place(response, status)
    expected = min(wanted, total - first)
    if len(body) < expected:
        return Answer(None, f"the answer broke off after {len(body)} of {expected} bytes")
    return Answer(status, f"HTTP {status}", body, first, total, response.headers.get("ETag", ""))


def _place(response: urllib3.BaseHTTPResponse, status: int) -> tuple[int, int]:
    """(first byte, length of the file). ValueError for an answer that does not say."""
    if status == 200:
        return 0, int(response.headers["Content-Length"])
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None:
        raise ValueError("a partial answer without its place")
    return int(found[1]), int(found[3])
