"""Azure's compute client, made so that no call waits: no retries, no polling, short time limits.

The SDK would sleep for as long as a `Retry-After` says, twenty minutes at times, and ask for https even on
loopback; the pipeline here has no retry policy at all, and the controller has its own clock for each call.
"""

from __future__ import annotations

from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.credentials import TokenCredential
from azure.core.pipeline import PipelineRequest, PipelineResponse, policies
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from requests.adapters import HTTPAdapter

from contract.errors import BadInput
from contract.fleet import LOOPBACK_HOSTS
from fleetctl.cloud.machines import RateLeft
from fleetctl.controller.act import CALL_SECONDS, PARALLEL_CALLS

RESOURCE_MANAGER = "https://management.azure.com"
CONNECT_SECONDS = 3.0


class NoCredential:
    """For the laptop cloud, which asks nobody who they are."""

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        raise AssertionError("the laptop cloud wants no token")


class RatesSeen(policies.SansIOHTTPPolicy[Any, Any]):
    """Notes what the answers say is left of the interface's allowance of writes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._left = RateLeft()

    @property
    def left(self) -> RateLeft:
        with self._lock:
            return self._left

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:  # noqa: ARG002
        """Keep the newest figure; an answer to a read has none."""
        headers = response.http_response.headers
        with self._lock:
            self._left = RateLeft(
                _whole(headers.get("x-ms-ratelimit-remaining-subscription-writes"), self._left.writes)
            )


class _LaptopPass(policies.SansIOHTTPPolicy[Any, Any]):
    """Stands where the token would: the laptop cloud's server is ours, on loopback, without https."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers["Authorization"] = "Bearer laptop"


def compute_client(
    subscription: str, credential: TokenCredential, url: str, rates: RatesSeen
) -> ComputeManagementClient:
    """A client of that subscription; safe to share between threads. `url`: empty for Azure's own endpoint.

    BadInput for a plain-text endpoint anywhere but on this machine: a token would go over the wire.
    """
    base = url.rstrip("/") or RESOURCE_MANAGER
    address = urlsplit(base)
    if address.scheme != "https" and address.hostname not in LOOPBACK_HOSTS:
        raise BadInput(f"resource_manager_url {base!r} must use https outside this machine")
    pass_policy = (
        ARMChallengeAuthenticationPolicy(credential, f"{base}/.default")
        if address.scheme == "https"
        else _LaptopPass()
    )
    return ComputeManagementClient(
        credential,
        subscription,
        base_url=base,
        policies=[
            policies.RequestIdPolicy(),
            policies.UserAgentPolicy("tilefleet", sdk_moniker="fleetctl"),
            policies.ContentDecodePolicy(),
            pass_policy,
            rates,
        ],
        transport=_transport(),
    )


def credential_for(url: str) -> TokenCredential:
    """Whoever is logged in here, or this machine's identity; nobody where the laptop cloud is asked."""
    return NoCredential() if urlsplit(url).scheme == "http" else DefaultAzureCredential()


def _transport() -> RequestsTransport:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=PARALLEL_CALLS))
    session.trust_env = False
    return RequestsTransport(
        session=session,
        use_env_settings=False,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=CALL_SECONDS - CONNECT_SECONDS,
    )


def _whole(text: str | None, before: int | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else before
