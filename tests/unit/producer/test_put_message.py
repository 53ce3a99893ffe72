"""Requests made by hand, against the SDK's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpRequest
from azure.storage.queue._shared.authentication import SharedKeyCredentialPolicy

from producer.bulk_queue import RENEW_TOKEN_SECONDS, STORAGE_SCOPE, Authority
from producer.put_message import Secret, address_of, headers_for, message_xml

KEY = "c2VjcmV0IGtleQ=="
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"


@dataclass
class SdkRequest:
    http_request: HttpRequest
    context: Any = field(default_factory=lambda: SimpleNamespace(transport=None))


@pytest.mark.parametrize(
    ("queue_url", "account"),
    [
        ("https://tileaccount.queue.core.windows.net", "tileaccount"),
        ("https://tileaccount.queue.core.windows.net/", "tileaccount"),
        ("http://127.0.0.1:10001/devstoreaccount1", "devstoreaccount1"),
    ],
)
def test_our_signature_is_the_sdks(queue_url, account):
    address = address_of(queue_url, "uk-tiles")
    assert address.account == account
    ours = headers_for(address, Secret(account_key=KEY), content_length=123, http_date=DATE)
    request = HttpRequest(
        "POST", address.url, headers={k: v for k, v in ours.items() if k != "Authorization"}
    )
    request.headers["Content-Length"] = "123"

    SharedKeyCredentialPolicy(account, KEY).on_request(SdkRequest(request))  # type: ignore[arg-type]

    assert ours["Authorization"] == request.headers["Authorization"]


def test_messages_never_expire():
    assert address_of("https://a.queue.core.windows.net", "q").url.endswith("/q/messages?messagettl=-1")


@pytest.mark.parametrize("body", ['{"tile":"grid_0.05_0.05"}', "<&>\"'", "a\r\nb", "é 東"])
def test_a_body_is_what_an_xml_reader_finds(body):
    assert ET.fromstring(message_xml(body)).findtext("MessageText") == body


def test_secrets_show_nowhere():
    assert "topsecret" not in repr(Secret(account_key="topsecret", token="topsecret"))
    assert "topsecret" not in repr(Authority("topsecret"))


class Tokens:
    """A credential that counts."""

    def __init__(self, lifetime_seconds: float) -> None:
        self.given = 0
        self._lifetime_seconds = lifetime_seconds

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        assert scopes == (STORAGE_SCOPE,)
        self.given += 1
        return AccessToken(f"token-{self.given}", int(self.given * self._lifetime_seconds))


def test_a_token_is_used_until_shortly_before_its_end():
    now, tokens = 0.0, Tokens(3600)
    authority = Authority(tokens, clock=lambda: now)
    assert authority.secret().token == "token-1"
    now = 3600 - RENEW_TOKEN_SECONDS
    assert authority.secret().token == "token-1"
    now += 1
    assert authority.secret().token == "token-2"
    headers = headers_for(
        address_of("https://a.queue.core.windows.net", "q"),
        authority.secret(),
        content_length=1,
        http_date=DATE,
    )
    assert headers["Authorization"] == "Bearer token-2"
