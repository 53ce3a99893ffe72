"""What Resource Manager's answers mean: status and code together, since one code serves quota and throttling.

Pure. The codes are Azure's own; which of them come at once and which later through an operation differs, so the
same table reads both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contract.errors import BadInput
from contract.json_text import parse_object
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.cloud.permissions import SIGN_IN, Permission
from fleetctl.cloud.roles import role_for

MAX_TEXT_CHARACTERS = 400
NO_CAPACITY_CODES = frozenset(
    {
        "skunotavailable",
        "allocationfailed",
        "zonalallocationfailed",
        "overconstrainedallocationrequest",
        "overconstrainedzonalallocationrequest",
        "spillovernotavailable",
    }
)
SPOT_RULE_CODES = frozenset(
    {
        "spotpricegreaterthanprovidedmaxprice",
        "maxpricechangenotallowedforallocatedvms",
        "evictionpolicycanbesetonlyonazurespotvirtualmachines",
        "azurespotvmnotsupportedinavailabilityset",
        "vmprioritycannotbeapplied",
        "azurespotfeaturenotenabledforsubscription",
        "missingsubscriptionregistration",
        "propertychangenotallowed",
    }
)
"""A 409 that no waiting helps: the request or the subscription must change."""
_QUOTA_NAME = re.compile(
    r"(?:approved|exceeding)\s+(?:approved\s+)?(\w+)\s+(?:Cores\s+)?quota", re.IGNORECASE
)
_QUOTA_NUMBER = {
    "region": re.compile(r"Location:\s*([\w-]+)", re.IGNORECASE),
    "limit": re.compile(r"Current Limit:\s*(\d+)", re.IGNORECASE),
    "used": re.compile(r"Current Usage:\s*(\d+)", re.IGNORECASE),
    "more": re.compile(r"Additional Required:\s*(\d+)", re.IGNORECASE),
}
_ACTION = re.compile(r"perform action '([^']+)'")
_SCOPE = re.compile(r"over scope '([^']+)'|(?:linked scope\(s\)|on scope) '([^']+)'")


@dataclass(frozen=True, slots=True)
class Answer:
    """One refusal as it came over the wire."""

    status: int
    code: str
    message: str
    inner_codes: tuple[str, ...] = ()
    """Of `details`: Azure says there that an `OperationNotAllowed` is throttling."""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class QuotaNumbers:
    """What a quota error says; None where it does not."""

    name: str
    region: str
    limit: int | None
    used: int | None
    more: int | None
    """vCPUs that this request needed besides."""

    def __str__(self) -> str:
        return (
            f"{self.name or 'vCPU'} quota{f' in {self.region}' if self.region else ''}: limit {_or_dash(self.limit)}, "
            f"used {_or_dash(self.used)}, {_or_dash(self.more)} more needed; "
            "ask for more in the portal under Quotas, or take another region"
        )


def read_answer(status: int, headers: Mapping[str, str], body: str) -> Answer:
    """The error in an answer; with the body's first characters as its message where it is none of Azure's."""
    by_name = {name.lower(): value for name, value in headers.items()}
    try:
        content = parse_object(body, "the answer")
    except BadInput:
        content = {"message": body[:MAX_TEXT_CHARACTERS]}
    error = content.get("error", content)  # throttling answers have no outer `error`
    if not isinstance(error, dict):
        error = {"message": str(error)}
    details = error.get("details")
    inner = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
    return Answer(
        status=status,
        code=str(error.get("code") or ""),
        message=str(error.get("message") or ""),
        inner_codes=tuple(str(entry.get("code") or "") for entry in inner),
        retry_after_seconds=_seconds(by_name.get("retry-after")),
    )


def refused(answer: Answer, doing: str, *, is_create: bool = False) -> Refused:
    """What an answer means. `doing` names the call for a person: `creating uk-a10-0001`."""
    kind = refusal_of(answer, is_create=is_create)
    return Refused(
        kind,
        answer.code or str(answer.status),
        f"{doing}: {_words(kind, answer)}",
        retry_after_seconds=answer.retry_after_seconds,
        mend=_mend(answer) if kind is Refusal.NOT_ALLOWED else "",
    )


def refusal_of(answer: Answer, *, is_create: bool = False) -> Refusal:
    """The kind alone. The status decides first where a code has two meanings."""
    code = answer.code.lower()
    if answer.status == 429 or "toomanyrequests" in (inner.lower() for inner in answer.inner_codes):
        return Refusal.THROTTLED
    if code in NO_CAPACITY_CODES:
        return Refusal.NO_CAPACITY
    if code == "quotaexceeded" or ("quota" in answer.message.lower() and answer.status in {400, 403, 409}):
        return Refusal.QUOTA
    if answer.status == 404:
        return Refusal.MISTAKE if is_create else Refusal.GONE
    if answer.status == 409:
        return (
            Refusal.MISTAKE if code in SPOT_RULE_CODES else Refusal.CONFLICT
        )  # also one that we do not know
    return _by_status(answer.status, code)


def quota_numbers(message: str) -> QuotaNumbers:
    """The numbers in a quota error's text."""
    found = {name: pattern.search(message) for name, pattern in _QUOTA_NUMBER.items()}
    texts = {name: match.group(1) if match else "" for name, match in found.items()}
    name = _QUOTA_NAME.search(message)
    return QuotaNumbers(
        name=name.group(1) if name else "",
        region=texts["region"],
        limit=_number(texts["limit"]),
        used=_number(texts["used"]),
        more=_number(texts["more"]),
    )


def _by_status(status: int, code: str) -> Refusal:
    if status in {401, 403}:
        return Refusal.MISTAKE if code == "requestdisallowedbypolicy" else Refusal.NOT_ALLOWED
    if status == 408 or status >= 500 or status < 400:  # below 400: an answer that could not be read
        return Refusal.TROUBLE
    return Refusal.CONFLICT if status == 412 else Refusal.MISTAKE


def _words(kind: Refusal, answer: Answer) -> str:
    message = " ".join(answer.message.split())[:MAX_TEXT_CHARACTERS]
    if kind is Refusal.QUOTA:
        return str(quota_numbers(answer.message))
    if kind is Refusal.NOT_ALLOWED:
        return _missing_role(answer, message)
    if kind is Refusal.THROTTLED and answer.retry_after_seconds is not None:
        return f"too many requests, again in {answer.retry_after_seconds:.0f} s"
    return message or f"status {answer.status}"


def _missing_role(answer: Answer, message: str) -> str:
    needed = _needed(answer)
    if needed is None:
        why = message.rstrip(".") or "the credential is not accepted"
        return f"{why}; sign in again with `{SIGN_IN}`. Machines that run go on"
    where = f" on {needed.scope}" if needed.scope else ""
    return (
        f"{needed.action} is not allowed{where}; the role {role_for(needed.action)!r} there allows it. "
        "Machines that run go on"
    )


def _mend(answer: Answer) -> str:
    needed = _needed(answer)
    return SIGN_IN if needed is None else needed.command


def _needed(answer: Answer) -> Permission | None:
    """What a role would have to allow; None where the credential itself was not accepted."""
    action, scope = _ACTION.search(answer.message), _SCOPE.search(answer.message)
    if action is None:
        return None
    return Permission(
        action.group(1), next((group for group in scope.groups() if group), "") if scope else "", ""
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.strip().isdigit() else None


def _number(text: str) -> int | None:
    return int(text) if text else None


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
