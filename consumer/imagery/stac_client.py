"""pystac-client with limits: an answer may be only so long, and a page may lead only to its own catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from pystac import Link
from pystac_client import Client
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from requests.adapters import HTTPAdapter
from urllib3 import Retry

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
LARGEST_ANSWER_BYTES = 64 << 20
"""A page of 250 scenes has some 4 MB."""
MOST_PAGES = 100
# Worst case per request: four answers waited for and 0 + 1 + 2 s between them, then the tile waits.
RETRIES = Retry(
    total=3,
    connect=2,
    read=2,
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,  # a search is a POST that changes nothing
    respect_retry_after_header=False,  # it may ask for minutes; those are the queue's business
    raise_on_status=False,
)


class _LimitedAdapter(HTTPAdapter):
    """Reads bodies up to a limit, also those that do not say how long they are."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        options["stream"] = True
        response = super().send(request, *args, **options)
        pieces: list[bytes] = []
        received = 0
        for piece in response.iter_content(1 << 16):
            received += len(piece)
            if received > LARGEST_ANSWER_BYTES:
                response.close()
                raise requests.exceptions.InvalidHeader(
                    f"the answer is longer than {LARGEST_ANSWER_BYTES} bytes", request=request
                )
            pieces.append(piece)
        response._content = b"".join(pieces)  # noqa: SLF001  as requests does when it reads by itself
        return response


class LimitedIO(StacApiIO):
    """What pystac-client asks through."""

    def __init__(self, home_url: str) -> None:
        super().__init__(timeout=(CONNECT_SECONDS, ANSWER_SECONDS), max_retries=RETRIES)
        self._home = urlsplit(home_url).netloc
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _LimitedAdapter(max_retries=RETRIES))
        self.session.max_redirects = 3

    def request(self, href: str, *args: Any, **options: Any) -> str:
        """As pystac-client's, within the catalogue."""
        if urlsplit(href).netloc != self._home:
            raise APIError(f"it sends us on to {href[:200]}, which is another host")
        return super().request(href, *args, **options)

    def read_text(self, source: Any, *args: Any, **options: Any) -> str:
        """As pystac-client's, which would open a file of this machine where a link names one."""
        href = source.get_href() if isinstance(source, Link) else str(source)
        if not str(href).startswith(("http://", "https://")):
            raise APIError(f"it sends us on to {str(href)[:200]}, which is no web address")
        return super().read_text(source, *args, **options)


def pages(io: LimitedIO, client: Client, **conditions: Any) -> Iterator[dict[str, Any]]:
    """The pages of a search; APIError for paging that goes in circles or does not end.

    pystac-client's own paging takes an empty page for the end, also where it leads on to another.
    """
    search = client.search(method="POST", **conditions)
    url, method, body = str(search.url), "POST", dict(search.get_parameters())
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        key = json.dumps([url, method, body], sort_keys=True)
        if key in seen:
            raise APIError("its paging goes in circles")
        seen.add(key)
        page = json.loads(io.request(url, method=method, parameters=body))
        yield page
        following = next((link for link in page.get("links", []) if link["rel"] == "next"), None)
        if following is None:
            return
        url, method = str(following["href"]), str(following.get("method") or "GET").upper()
        # A GET has all of it in its address.
        extra = dict(following.get("body") or {}) if method == "POST" else {}
        body = {**body, **extra} if following.get("merge") and method == "POST" else extra
    raise APIError(f"its paging does not end within {MOST_PAGES} pages")
