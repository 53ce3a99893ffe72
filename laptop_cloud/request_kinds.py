"""What a request to the storage is about, in a few words: how the relay counts, and chooses whom to trouble.

Blobs by the first folder that says what they are: `put blob commits`, `get blob jobs`, `append blob ledger`.
Messages by what is done: `put message tiles`, `get messages urgent`, `update message tiles`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

_DATASET_SHELF = re.compile(r"datasets/[^/]+/(commits|dataset\.json)")
_QUEUES = ("tiles", "urgent", "poison")
_MESSAGE_VERBS = {"POST": "put message", "PUT": "update message", "DELETE": "delete message"}
_BLOB_COMPONENTS = {"appendblock": "append blob", "block": "put block", "blocklist": "put blob"}


def request_kind(service: str, method: str, target: str, headers: Mapping[str, str]) -> str:
    """`service`: blob or queue. `target`: path and query as requested, beginning with the account."""
    url = urlsplit(target)
    _account, container, *rest = [*unquote(url.path).strip("/").split("/", 2), "", ""][:3]
    component = parse_qs(url.query).get("comp", [""])[0]
    if service == "queue":
        return _queue_kind(method, component, container, rest[0])
    return _blob_kind(method, component, rest[0], headers)


def _queue_kind(method: str, component: str, queue: str, rest: str) -> str:
    name = next((known for known in _QUEUES if queue.endswith(f"-{known}")), queue)
    if not rest.startswith("messages"):
        return f"{method.lower()} {component or 'queue'} {name}".strip()
    verb = "get messages" if method == "GET" else _MESSAGE_VERBS.get(method, method.lower())
    if method == "DELETE" and rest == "messages":
        verb = "clear messages"
    return f"{verb} {name}"


def _blob_kind(method: str, component: str, blob: str, headers: Mapping[str, str]) -> str:
    if not blob:
        return "list blobs" if component == "list" else f"{method.lower()} container"
    if method != "PUT":
        return f"{method.lower()} blob {shelf(blob)}"
    if "x-ms-copy-source" in {name.lower() for name in headers}:
        return f"copy blob {shelf(blob)}"
    return f"{_BLOB_COMPONENTS.get(component, f'put {component}' if component else 'put blob')} {shelf(blob)}"


def shelf(blob: str) -> str:
    """Which kind of blob a name belongs to: `commits`, `staging`, `published`, `ledger` ..."""
    if match := _DATASET_SHELF.match(blob):
        return "commits" if match.group(1) == "commits" else "dataset"
    top = blob.partition("/")[0]
    return "published" if top == "datasets" else top
