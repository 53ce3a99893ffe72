"""Asks Azure to deallocate the machine that this runs on: a token from the metadata service, one POST."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from consumer.notices.azure import COMPUTE_PATH, DEFAULT_URL, HEADERS
from consumer.notices.metadata import Answer, Metadata
from consumer.notices.notice import NoAnswer
from contract.errors import BadInput
from contract.json_text import parse_object

RESOURCE_MANAGER = "https://management.azure.com"
TOKEN_PATH = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="  # noqa: S105 - where to ask
API_VERSION = "2024-07-01"
TIMEOUT_SECONDS = 20.0
ACCEPTED = frozenset({200, 202})


@dataclass(frozen=True, slots=True)
class OwnMachine:
    """This machine, as its own identity reaches it. `metadata_url` may be empty: Azure's own address."""

    metadata_url: str = ""
    resource_manager_url: str = RESOURCE_MANAGER

    def __call__(self) -> None:
        """Deallocate it; this process ends with it. NoAnswer when that was not accepted."""
        metadata = Metadata(self.metadata_url or DEFAULT_URL)
        resource_id = _told(metadata, COMPUTE_PATH, "resourceId")
        audience = quote(f"{RESOURCE_MANAGER}/", safe="")
        token = _told(metadata, TOKEN_PATH + audience, "access_token")
        answer = Metadata(self.resource_manager_url).ask(
            f"{resource_id}/deallocate?api-version={API_VERSION}",
            method="POST",
            headers={"Authorization": f"Bearer {token}", "Content-Length": "0"},
            timeout_seconds=TIMEOUT_SECONDS,
        )
        if answer.status not in ACCEPTED:
            raise NoAnswer(f"deallocating this machine: {answer.status} {_code(answer)}".rstrip())


def _told(metadata: Metadata, path: str, field: str) -> str:
    answer = metadata.ask(path, headers=HEADERS, timeout_seconds=TIMEOUT_SECONDS)
    try:
        value = parse_object(answer.body, "the answer of the metadata service").get(field)
    except BadInput as error:
        raise NoAnswer(str(error)) from error
    if answer.status != 200 or not isinstance(value, str) or not value:
        raise NoAnswer(f"the metadata service answered {answer.status} and no {field}")
    return value


def _code(answer: Answer) -> str:
    """The error's code; never more of an answer to a request that carried a token."""
    try:
        error = parse_object(answer.body, "the answer").get("error")
    except BadInput:
        return ""
    return str(error.get("code", ""))[:80] if isinstance(error, dict) else ""
