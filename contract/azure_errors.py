"""Azure's answers in our words: every SDK exception becomes one of `contract.errors` at the border."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from contract.broken_connection import MAX_REASON_CHARACTERS, OtherService, broken_connection
from contract.errors import (
    AlreadyExists,
    Changed,
    LeaseLost,
    NotAllowed,
    NotFound,
    NoToken,
    StorageError,
    StorageUnavailable,
    TilefleetError,
)

# A receipt that is not the newest is a 400 (also on Azurite); a message that is gone, or on Azure
# sometimes a receipt that no longer matches, is a 404. Both say that the message is not ours.
_MESSAGE_IS_NOT_OURS = {"PopReceiptMismatch", "MessageNotFound"}

# Conflicts are told by their code: the same 409 is a lost create, a lost lease, or a deletion still going on.
_CONFLICTS: dict[str, type[TilefleetError]] = {
    "LeaseIdMismatchWithLeaseOperation": Changed,
    "LeaseNotPresentWithLeaseOperation": Changed,
    "LeaseIsBrokenAndCannotBeRenewed": Changed,
    "LeaseIsBreakingAndCannotBeAcquired": AlreadyExists,
    "QueueBeingDeleted": StorageUnavailable,
    "ContainerBeingDeleted": StorageUnavailable,
    "InvalidBlobType": StorageError,
    "BlockCountExceedsLimit": StorageError,
}

_CHECK_CREDENTIAL = "check the credential and its roles (Storage Queue/Blob Data Contributor)"
_WHAT_NEXT: dict[type[TilefleetError], str] = {
    StorageUnavailable: "try again later",
    NotAllowed: _CHECK_CREDENTIAL,
    NoToken: _CHECK_CREDENTIAL,
    Changed: "read it again",
    LeaseLost: "somebody else has the message or the answer to us was lost, touch nothing",
}


@contextmanager
def translated(action: str, target: str) -> Iterator[None]:
    """Raise what the SDK raises inside as one of ours, saying what was tried, on what, and what came back."""
    try:
        yield
    except AzureError as error:
        raise _translation(error, action, target) from error
    except OtherService as error:
        raise StorageUnavailable(f"{action} {target}: {broken_connection(error)}") from error


def _translation(error: AzureError, action: str, target: str) -> TilefleetError:
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        kind = kind_of_answer(error.status_code, error_code(error))
        came_back = f"{error.status_code} {error_code(error) or error.reason or ''}".strip()
    else:
        kind = _kind_without_answer(error)
        if kind is StorageUnavailable:
            return kind(f"{action} {target}: {broken_connection(error)}")
        # The text can be long, of several lines, and never holds the key.
        was_sent = "no request was sent" if issubclass(kind, NotAllowed) else "the answer is of no use"
        came_back = f"{was_sent} ({' '.join(str(error).split())[:MAX_REASON_CHARACTERS]})"
    next_step = _WHAT_NEXT.get(kind, "")
    return kind(f"{action} {target}: {came_back}" + (f"; {next_step}" if next_step else ""))


def error_code(error: HttpResponseError) -> str:
    """The service's own code, such as `BlobNotFound`; empty when it sent none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def kind_of_answer(status: int, code: str) -> type[TilefleetError]:
    """Which of our errors an HTTP answer is."""
    if code in _MESSAGE_IS_NOT_OURS:
        return LeaseLost
    if status < 400 or status >= 500 or status in {408, 429}:  # below 400: an answer that could not be read
        return StorageUnavailable
    if status == 409:
        return _CONFLICTS.get(code, AlreadyExists)
    by_status: dict[int, type[TilefleetError]] = {
        401: NotAllowed,
        403: NotAllowed,
        404: NotFound,
        412: Changed,
    }
    return by_status.get(status, StorageError)


def _kind_without_answer(error: AzureError) -> type[TilefleetError]:
    if isinstance(error, ClientAuthenticationError):
        # A key that cannot sign is told by a class below this one, which the SDK keeps to itself.
        return NoToken if type(error) is ClientAuthenticationError else NotAllowed
    if isinstance(error, (ServiceRequestError, ServiceResponseError, HttpResponseError)):
        return StorageUnavailable
    return StorageError
