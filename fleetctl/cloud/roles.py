"""Which of Azure's built-in roles allows a call that was refused, and where it is given. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+")
_GROUP = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+", re.IGNORECASE)
_RESOURCE = re.compile(r".*")


@dataclass(frozen=True, slots=True)
class Role:
    """One that the controller or whoever runs it needs; infra/README.md says what for."""

    name: str
    actions: str
    """How the actions begin that it is needed for."""
    given_on: re.Pattern[str]
    """The part of a resource's id where it belongs."""


ROLES = (
    Role("Virtual Machine Contributor", "Microsoft.Compute/", _GROUP),
    Role("Network Contributor", "Microsoft.Network/", _RESOURCE),
    Role("Managed Identity Operator", "Microsoft.ManagedIdentity/", _RESOURCE),
)
READER = Role("Reader", "", _SUBSCRIPTION)
ANY = Role("Contributor", "", _GROUP)
"""For calls that are none of ours."""


def role_for(action: str) -> str:
    """The narrowest role of ours that allows that action."""
    return _role(action).name


def scope_for(action: str, resource_id: str) -> str:
    """Where that role is given when the action was refused on a resource."""
    match = _role(action).given_on.match(resource_id)
    return match.group() if match else resource_id


def _role(action: str) -> Role:
    if action.lower().endswith("/read"):
        return READER
    matching = (role for role in ROLES if action.lower().startswith(role.actions.lower()))
    return next(matching, ANY)
