"""One Put Message request, made and signed by hand: what the SDK spends most of its time on (pure).

Signing follows Microsoft's "Authorize with Shared Key" for the queue service, version 2015-02-21 and
later; the message's XML and parameters follow "Put Message".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

SERVICE_VERSION = "2025-11-05"
"""The newest that the emulator knows; nothing later changed Put Message."""

NEVER_EXPIRES = "-1"
CONTENT_TYPE = "application/xml"
_BREAKS = {"\r": "&#13;"}  # unescaped, an XML reader makes a line feed of it


@dataclass(frozen=True, slots=True)
class QueueAddress:
    """Where Put Message requests for one queue go."""

    url: str
    """Of the queue's messages, with its query."""
    account: str
    canonical_resource: str
    """What the signature says about the address."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What proves who we are: one of the two is empty."""

    account_key: str = field(default="", repr=False)
    """Base64, as Azure shows it."""
    token: str = field(default="", repr=False)
    """A bearer token."""


def address_of(queue_url: str, queue_name: str) -> QueueAddress:
    r"""The address of a queue of the account at `queue_url`; the emulator has the account in its path.

    >>> address_of("http://127.0.0.1:10001/dev", "uk-tiles").canonical_resource
    '/dev/dev/uk-tiles/messages\nmessagettl:-1'
    """
    parts = urlsplit(queue_url.rstrip("/"))
    path = parts.path.strip("/")
    account = path or (parts.hostname or "").partition(".")[0]
    messages = "/".join(filter(None, ["", path, quote(queue_name), "messages"]))
    if not messages.startswith("/"):
        messages = f"/{messages}"
    return QueueAddress(
        url=f"{parts.scheme}://{parts.netloc}{messages}?messagettl={NEVER_EXPIRES}",
        account=account,
        canonical_resource=f"/{account}{messages}\nmessagettl:{NEVER_EXPIRES}",
    )


def message_xml(body: str) -> bytes:
    """The request's content. XML has no way to say most control characters: the codec escapes them."""
    return f"<QueueMessage><MessageText>{escape(body, _BREAKS)}</MessageText></QueueMessage>".encode()


def headers_for(
    address: QueueAddress, secret: Secret, *, content_length: int, http_date: str
) -> dict[str, str]:
    """All headers of one request that depend on us; `http_date` is now, RFC 1123, GMT."""
    headers = {
        "Content-Type": CONTENT_TYPE,
        "x-ms-date": http_date,
        "x-ms-version": SERVICE_VERSION,
    }
    if secret.account_key:
        signature = _sign(address, secret.account_key, content_length, http_date)
        headers["Authorization"] = f"SharedKey {address.account}:{signature}"
    else:
        headers["Authorization"] = f"Bearer {secret.token}"
    return headers


def _sign(address: QueueAddress, account_key: str, content_length: int, http_date: str) -> str:
    to_sign = "\n".join(
        [
            "POST",
            "",  # Content-Encoding
            "",  # Content-Language
            str(content_length),
            "",  # Content-MD5
            CONTENT_TYPE,
            "",  # Date: x-ms-date stands in for it
            *[""] * 5,  # If-Modified-Since, If-Match, If-None-Match, If-Unmodified-Since, Range
            f"x-ms-date:{http_date}",
            f"x-ms-version:{SERVICE_VERSION}",
            address.canonical_resource,
        ]
    )
    digest = hmac.new(base64.b64decode(account_key), to_sign.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")
