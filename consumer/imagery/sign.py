"""Addresses that the storage accepts: Planetary Computer's files want a short-lived token, others none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

import requests

from contract.errors import TryLater

PLANETARY_COMPUTER_HOST = "planetarycomputer.microsoft.com"
TOKEN_ENDPOINT = f"https://{PLANETARY_COMPUTER_HOST}/api/sas/v1/token"
AZURE_BLOB_DOMAIN = ".blob.core.windows.net"
RENEW_BEFORE_END = timedelta(minutes=5)
"""Longer than one tile's file is read, so that no token ends in the middle of a file."""
TIMEOUT_SECONDS = (5.0, 15.0)
"""(to connect, to answer)"""


class Signer(Protocol):
    """Makes an href readable for a while."""

    def sign(self, href: str) -> str:
        """The href with whatever the storage wants. TryLater when no token is to be had."""
        ...

    def renew(self, href: str) -> None:
        """The storage refused the last one: the next `sign` asks for a new token."""
        ...


class NoSigning:
    """For storage that is open to everybody."""

    def sign(self, href: str) -> str:
        return href

    def renew(self, href: str) -> None:
        """Nothing to renew."""


@dataclass(frozen=True, slots=True)
class _Token:
    query: str
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
        self._lock = threading.Lock()  # held while asking: one request for all who wait
        self._tokens: dict[str, _Token] = {}

    def sign(self, href: str) -> str:
        container = self._container_of(href)
        if container is None:
            return href
        with self._lock:
            token = self._tokens.get(container)
            if token is None or token.ends - self._now() < RENEW_BEFORE_END:
                token = self._tokens[container] = self._ask(container)
        return f"{href}?{token.query}"

    def renew(self, href: str) -> None:
        container = self._container_of(href)
        if container is not None:
            with self._lock:
                self._tokens.pop(container, None)

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
            response = requests.get(url, timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
            answer = response.json()
            return _Token(query=str(answer["token"]), ends=datetime.fromisoformat(answer["msft:expiry"]))
        except (requests.RequestException, KeyError, TypeError, ValueError) as error:
            raise TryLater(f"no token for {container} from {url}: {error}") from error


def signer_for(stac_url: str) -> Signer:
    """Tokens where the catalogue is Planetary Computer's, else none."""
    host = urlsplit(stac_url).hostname or ""
    return ContainerTokens() if host == PLANETARY_COMPUTER_HOST else NoSigning()


def without_token(href: str) -> str:
    """The href as it may be logged and kept."""
    return href.partition("?")[0]
