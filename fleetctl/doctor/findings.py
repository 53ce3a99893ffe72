"""What a check came to: well, or what is wrong with the command that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from contract.errors import BadInput, NotAllowed, NotFound, StorageError
from fleetctl.cloud.machines import Refused
from fleetctl.cloud.permissions import SIGN_IN


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result."""

    check: str
    is_well: bool
    text: str
    mend: str = ""
    """What to type, or what to change."""


class Unwell(Exception):
    """Raised by a check: what is wrong, and what mends it."""

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(text)
        self.text = text
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at; `look` says in words what it found, or raises."""

    name: str
    look: Callable[[], str]
    mend: str = ""
    """For errors that name no remedy of their own."""


def examine(checks: Iterable[Check]) -> list[Finding]:
    """Each check by itself: one that fails keeps no other from being made."""
    return [_examine(check) for check in checks]


def _examine(check: Check) -> Finding:
    try:
        return Finding(check.name, True, check.look())
    except Unwell as error:
        return Finding(check.name, False, error.text, error.mend)
    except Refused as error:
        return Finding(check.name, False, str(error), error.mend or check.mend)
    except NotAllowed as error:
        return Finding(check.name, False, str(error), SIGN_IN)
    except (NotFound, StorageError, BadInput) as error:
        return Finding(check.name, False, str(error), check.mend)
