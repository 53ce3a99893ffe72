"""Which roles the controller and the workers need, and which of them allows a call that was refused."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """One of Azure's built-in roles, and where it is needed."""

    name: str
    actions: str
    """How the actions begin that it is needed for."""
    scope: str
    """In words."""
    why: str


ROLES = (
    Role(
        "Virtual Machine Contributor", "Microsoft.Compute/", "the resource group", "machines and their disks"
    ),
    Role(
        "Network Contributor",
        "Microsoft.Network/",
        "the subnet, and the resource group for interfaces",
        "machines join the subnet",
    ),
    Role(
        "Managed Identity Operator",
        "Microsoft.ManagedIdentity/",
        "the workers' identity",
        "machines act as the workers' identity",
    ),
)
READER = Role("Reader", "", "the subscription", "listings, quota and sizes")


def role_for(action: str) -> str:
    """The narrowest role of ours that allows that action."""
    if action.lower().endswith("/read"):
        return READER.name
    matching = (role.name for role in ROLES if action.lower().startswith(role.actions.lower()))
    return next(matching, READER.name)


def scope_for(action: str, resource_id: str) -> str:
    """Where that role is given, when it was needed on a resource: the resource itself unless that is too narrow."""
    pattern = _GIVEN_ON.get(role_for(action))
    match = pattern.match(resource_id) if pattern else None
    return match.group() if match else resource_id


_GIVEN_ON = {
    READER.name: re.compile(r"/subscriptions/[^/]+"),
    "Virtual Machine Contributor": re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+", re.IGNORECASE),
}
