"""Addresses that the storage accepts: Planetary Computer's files want a short-lived token, others none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from contract.errors import TryLater

PLANETARY_COMPUTER_HOST = "planetarycomputer.microsoft.com"
TOKEN_ENDPOINT = f"https://{PLANETARY_COMPUTER_HOST}/api/sas/v1/token"
AZURE_BLOB_DOMAIN = ".blob.core.windows.net"
RENEW_BEFORE_END = timedelta(minutes=5)
"""Longer than one tile's file is read, so that no token ends in the middle of a file. One that lives less
than twice as long is renewed after half its life."""
RETRIES = Retry(
    total=4,  # 0 + 1 + 2 + 4 s: other threads wait for the same token meanwhile
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    respect_retry_after_header=False,  # it may ask for minutes; those are the queue's business
    raise_on_status=False,
)
TIMEOUT_SECONDS = (5.0, 15.0)
"""(to connect, to answer)"""


class Signer(Protocol):
    """Makes an href readable for a while."""

    def sign(self, href: str) -> str:
        """The href with whatever the storage wants. TryLater when no token is to be had."""
        ...

    def renew(self, refused: str) -> None:
        """The storage refused this signed href: the next `sign` asks for a new token, once for all threads."""
        ...


class NoSigning:
    """For storage that is open to everybody."""

    def sign(self, href: str) -> str:
        return href

    def renew(self, refused: str) -> None:
        """Nothing to renew."""


@dataclass(frozen=True, slots=True)
class _Token:
    query: str
    renew_at: datetime
    ends: datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ContainerTokens:
    """One token per storage container, shared by all threads and renewed before it ends.

    The planetary-computer package does the same without a timeout on its requests and with ten
    retries: a catalogue in trouble would hold a download thread for minutes.
    """

    def __init__(
        self,
        endpoint: str = TOKEN_ENDPOINT,
        storage_domain: str = AZURE_BLOB_DOMAIN,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._endpoint = endpoint
        self._storage_domain = storage_domain
        self._now = now
        self._session = requests.Session()  # used under the lock only
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
        self._lock = threading.Lock()  # held while asking: one request for all who wait
        self._tokens: dict[str, _Token] = {}

    def sign(self, href: str) -> str:
        container = self._container_of(href)
        if container is None:
            return href
        with self._lock:
            token = self._tokens.get(container)
            if token is None or self._now() >= token.renew_at:
                token = self._tokens[container] = self._ask_or_keep(container, token)
        return f"{href}?{token.query}"

    def renew(self, refused: str) -> None:
        href, _, query = refused.partition("?")
        container = self._container_of(href)
        with self._lock:
            token = self._tokens.get(container or "")
            # Whoever is refused with an older token finds the new one here already.
            if container is not None and token is not None and token.query == query:
                del self._tokens[container]

    def _ask_or_keep(self, container: str, old: _Token | None) -> _Token:
        try:
            return self._ask(container)
        except TryLater:
            if old is None or self._now() >= old.ends:
                raise
            return old

    def _container_of(self, href: str) -> str | None:
        """`account/container`; None for what is stored elsewhere or carries a token already."""
        parts = urlsplit(href)
        host = parts.hostname or ""
        if not host.endswith(self._storage_domain) or "sig=" in parts.query:
            return None
        return f"{host.partition('.')[0]}/{parts.path.lstrip('/').partition('/')[0]}"

    def _ask(self, container: str) -> _Token:
        url = f"{self._endpoint}/{container}"
        try:
            response = self._session.get(url, timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
            answer = response.json()
            ends, now = datetime.fromisoformat(answer["msft:expiry"]), self._now()
            renew_at = ends - min(RENEW_BEFORE_END, (ends - now) / 2)
            return _Token(str(answer["token"]), renew_at, ends)
        except (requests.RequestException, KeyError, TypeError, ValueError) as error:
            raise TryLater(f"no token for {container} from {url}: {error}") from error


def signer_for(stac_url: str) -> Signer:
    """Tokens where the catalogue is Planetary Computer's, else none."""
    host = urlsplit(stac_url).hostname or ""
    return ContainerTokens() if host == PLANETARY_COMPUTER_HOST else NoSigning()


def without_token(href: str) -> str:
    """The href as it may be logged and kept."""
    return href.partition("?")[0]
