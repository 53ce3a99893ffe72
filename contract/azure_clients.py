"""Clients of one storage account, made so that a call ends within seconds: the SDK's own defaults sleep
15 s before the first retry, half of a spot machine's notice.

One transport (connection pool) is shared by the queues and the container, and it remembers the service's
clock from the `Date` of its answers.
"""

from __future__ import annotations

import ipaddress
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient
from azure.storage.blob import ExponentialRetry as BlobRetry
from azure.storage.queue import ExponentialRetry as QueueRetry
from azure.storage.queue import QueueClient
from requests.adapters import HTTPAdapter

from contract.broken_connection import OtherService
from contract.errors import BadInput
from contract.fleet import Fleet

# The SDKs log tracebacks of answers they cannot read; without a handler of the program's own those would land
# on a person's stderr. Our errors say what came back.
logging.getLogger("azure").addHandler(logging.NullHandler())

EMULATOR_API_VERSION = "2025-11-05"  # the newest that Azurite 3.36 knows; newer SDKs ask for more
# Azurite's key, published by Microsoft: the same on every machine, and good for nothing else.
EMULATOR_ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
CONNECTION_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 20
RETRIES = 3
FIRST_BACKOFF_SECONDS = 0.3
RETRY_BUDGET_SECONDS = 10.0  # no retry begins later than this after the call began
MIB = 1024 * 1024
SERVICE_HEADER = "x-ms-request-id"
"""On every answer of the service."""
BELIEVED_STATUSES = frozenset({*range(200, 300), 404})
"""They tell what is there; the others are trouble, whoever sent them."""


@dataclass(frozen=True, slots=True)
class StorageEndpoints:
    """Where a fleet's queues and blobs are, and who we are there."""

    queue_url: str
    """Of the account: `https://<account>.queue.core.windows.net`, or the emulator's."""
    blob_url: str
    container: str
    credential: TokenCredential | str = field(repr=False)
    """A managed identity or another token credential; or, for the emulator, an account key."""


def storage_endpoints(fleet: Fleet) -> StorageEndpoints:
    """A fleet's storage: by its key if one was given, else the emulator's, else as whoever is logged in here
    (on a virtual machine: its managed identity)."""
    credential: TokenCredential | str = fleet.storage_key
    if not credential:
        credential = EMULATOR_ACCOUNT_KEY if is_loopback(fleet.blob_url) else _whoever_is_logged_in()
    return StorageEndpoints(fleet.queue_url, fleet.blob_url, fleet.container, credential)


def _whoever_is_logged_in() -> TokenCredential:
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  with cryptography, for no laptop

    return DefaultAzureCredential()


class StoreClock:
    """The service's clock: its latest answer's date (whole seconds), carried on by our own steady clock."""

    def __init__(self) -> None:
        self._seen: tuple[datetime, float] | None = None

    def saw(self, headers: Mapping[str, str]) -> None:
        """Note an answer's `Date` header, if it has a readable one."""
        try:
            date = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            return
        self._seen = (date.astimezone(UTC), time.monotonic())

    def now(self) -> datetime | None:
        """None when there was no answer yet."""
        if self._seen is None:
            return None
        date, seen_at = self._seen
        return date + timedelta(seconds=time.monotonic() - seen_at)


def backoff_seconds(retries_before: int, jitter: float) -> float:
    """0.3, 0.6, 1.2 s ..., give or take half of it (`jitter` in 0..1)."""
    return float(FIRST_BACKOFF_SECONDS * 2**retries_before * (0.5 + jitter))


class _ShortRetries:
    """Overrides of the SDK's retry policies: short pauses, no retry after the budget is spent, and a caller's
    `raw_response_hook` that still hears the answer when the first try's connection was cut."""

    def configure_retries(self, request: Any) -> dict[str, Any]:
        # The SDK takes the hook out of the options at the first try and keeps it only once that try was answered.
        if (hook := request.context.options.pop("raw_response_hook", None)) is not None:
            request.context["response_callback"] = hook
        settings: dict[str, Any] = super().configure_retries(request)  # type: ignore[misc]
        return {**settings, "began": time.monotonic()}

    def increment(self, settings: dict[str, Any], *args: Any, **kwargs: Any) -> bool:
        may_retry: bool = super().increment(settings, *args, **kwargs)  # type: ignore[misc]
        return may_retry and time.monotonic() - settings["began"] < RETRY_BUDGET_SECONDS

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        return backoff_seconds(max(settings["count"] - 1, 0), random.random())


class _ShortBlobRetries(_ShortRetries, BlobRetry):
    """For the blob service."""


class _ShortQueueRetries(_ShortRetries, QueueRetry):
    """For the queue service."""


class _CheckedTransport(RequestsTransport):  # type: ignore[misc]
    """The SDK's transport, telling a clock the date of each answer, and deaf to anything but a storage service:
    a proxy's page must neither be an empty queue nor a missing blob."""

    def __init__(self, clock: StoreClock, session: requests.Session) -> None:
        super().__init__(
            session=session,
            use_env_settings=False,  # no proxy from the environment: the endpoint is what settings say
            connection_timeout=CONNECTION_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
        )
        self._clock = clock

    def send(self, request: Any, **kwargs: Any) -> Any:
        response = super().send(request, **kwargs)
        if SERVICE_HEADER not in response.headers and response.status_code in BELIEVED_STATUSES:
            raise OtherService(request)  # not one of the SDK's errors: those it would try again
        self._clock.saw(response.headers)
        return response


class AzureClients:
    """The clients of one account; safe to share between threads."""

    def __init__(self, endpoints: StorageEndpoints, *, connections: int = 32) -> None:
        self.clock = StoreClock()
        self._endpoints = endpoints
        session = requests.Session()
        # The default pool of 10 drops and remakes connections as soon as there are more threads.
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
        session.trust_env = False
        self._transport = _CheckedTransport(self.clock, session)

    def container(self, **limits: Any) -> ContainerClient:
        """The container's client; `limits` are the SDK's own transfer sizes, in bytes."""
        url = self._endpoints.blob_url
        try:
            return ContainerClient(
                url,
                self._endpoints.container,
                credential=self._endpoints.credential,
                transport=self._transport,
                retry_policy=_ShortBlobRetries(retry_total=RETRIES),
                **_version_for(url),
                **limits,
            )
        except ValueError as error:
            raise BadInput(f"{url!r} cannot be the blob endpoint: {error}") from error

    def queue(self, name: str) -> QueueClient:
        """A queue's client, bodies sent and returned as they are."""
        url = self._endpoints.queue_url
        try:
            return QueueClient(
                url,
                name,
                credential=self._endpoints.credential,
                transport=self._transport,
                retry_policy=_ShortQueueRetries(retry_total=RETRIES),
                message_encode_policy=None,
                message_decode_policy=None,
                **_version_for(url),
            )
        except ValueError as error:
            raise BadInput(f"{url!r} cannot be the queue endpoint: {error}") from error


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine: then it is the emulator."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _version_for(url: str) -> dict[str, Any]:
    return {"api_version": EMULATOR_API_VERSION} if is_loopback(url) else {}
