"""How Azure says no. Codes and the form of their texts are what clients tell refusals apart by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from contract.errors import TilefleetError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation that was accepted failed later."""

    code: str
    text: str


class Problem(TilefleetError):
    """A request that is refused at once."""

    def __init__(
        self, status: int, code: str, text: str, *, body: Mapping[str, Any] | None = None, wait: int = 0
    ) -> None:
        """`body`: another one than the usual. `wait`: seconds of Retry-After, when there are any."""
        super().__init__(f"{status} {code}: {text}")
        self.status = status
        self.code = code
        self.body = body or {"error": {"code": code, "message": text}}
        self.wait = wait


def not_found(kind: str, name: str, group: str) -> Problem:
    return Problem(
        HTTPStatus.NOT_FOUND,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def mistake(code: str, text: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, code, text)


def conflict(code: str, text: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, code, text)


def busy(vm: str) -> Problem:
    return conflict(
        "Conflict",
        f"The request failed due to conflict with a concurrent request to the same resource '{vm}'.",
    )


def quota_exceeded(kind: str, location: str, *, limit: int, used: int, required: int) -> Problem:
    """`kind`: as the text names it, such as LowPriorityCores."""
    return conflict(
        "OperationNotAllowed",
        f"Operation could not be completed as it results in exceeding approved {kind} quota. "
        f"Additional details - Deployment Model: Resource Manager, Location: {location}, "
        f"Current Limit: {limit}, Current Usage: {used}, Additional Required: {required}, "
        f"(Minimum) New Limit Required: {used + required}. "
        "Submit a request for Quota increase and retry the operation.",
    )


def no_capacity(code: str, size: str, location: str) -> Failure:
    """SkuNotAvailable or AllocationFailed: the same meaning at two moments of an order."""
    if code == "SkuNotAvailable":
        return Failure(
            code,
            f"The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {size}' "
            f"is currently not available in location '{location}'. Please try another size or deploy to a "
            "different location or different zone.",
        )
    return Failure(
        code,
        f"Allocation failed. We do not have sufficient capacity for the requested VM size {size} in {location}.",
    )
