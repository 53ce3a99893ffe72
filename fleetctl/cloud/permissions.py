"""May we do that there? Read from what Azure tells of our own permissions on a scope. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleetctl.cloud.roles import role_for, scope_for

SIGN_IN = "az login"
"""What mends a credential that is not accepted."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that must be allowed."""

    action: str
    scope: str
    """Resource id."""
    why: str

    @property
    def command(self) -> str:
        """What gives it to somebody, as far up as our roles are given."""
        role, scope = role_for(self.action), scope_for(self.action, self.scope)
        return f'az role assignment create --assignee WHO --role "{role}" --scope {scope}'


def is_action_allowed(action: str, grants: Iterable[Mapping[str, Any]]) -> bool:
    """Does any of the grants allow it? Each has `actions` and `notActions`, with `*` for anything."""
    return any(
        _matches(action, grant.get("actions") or ()) and not _matches(action, grant.get("notActions") or ())
        for grant in grants
    )


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(_as_expression(pattern).fullmatch(action) for pattern in patterns)


def _as_expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)
