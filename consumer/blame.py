"""Who an error is to be blamed on, and how it is told from others: pure, the first half of judging an attempt."""

from __future__ import annotations

import errno
import hashlib
import re

from contract.errors import (
    GiveUp,
    LeaseLost,
    Stopped,
    StorageError,
    TryLater,
    WorkerUnfit,
)
from contract.outcomes import Cause

MACHINE_ERRNOS = frozenset(
    {
        *(errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE),
        *(errno.ENOMEM, errno.EACCES, errno.EPERM),
    }
)


def classify(error: BaseException) -> Cause | None:
    """Who an error is to be blamed on; None: the lease is gone, it is nobody's business any more."""
    if isinstance(error, LeaseLost):
        return None
    if isinstance(error, Stopped):
        return Cause.HANDED_BACK
    if isinstance(error, TryLater | StorageError):
        return Cause.SOURCE
    if isinstance(error, WorkerUnfit | MemoryError):
        return Cause.WORKER
    if isinstance(error, OSError) and error.errno in MACHINE_ERRNOS:
        return Cause.WORKER
    return Cause.TILE


_NOT_IN_A_WORD = re.compile(r"[^A-Za-z0-9._-]")
"""What a message's history does not take: the next worker would not know the message for one of ours."""


def fingerprint(error: BaseException) -> str:
    """Short, and equal for equal faults: the class and a digest of the text without its numbers."""
    text = re.sub(r"\d+", "#", str(error))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]
    return f"{_NOT_IN_A_WORD.sub('-', type(error).__name__)[:80]}:{digest}"


def describe(error: BaseException) -> str:
    """The error for a person, in one line."""
    text = " ".join(str(error).split())[:500]
    ours = isinstance(error, GiveUp | TryLater | WorkerUnfit | Stopped | StorageError)
    return text if ours and text else f"{type(error).__name__}: {text}"
