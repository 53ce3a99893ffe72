"""Who asks, and of what: one subscription with one resource group, for anybody who shows a token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from laptop_cloud.metadata.answers import SUBSCRIPTION
from laptop_cloud.resource_manager.problems import Problem, mistake

RESOURCE_GROUP = "laptop"
RATE_HEADERS = web.RequestKey("rate_headers", list[tuple[str, str]])
"""What the answer to a request says of allowances."""
API_VERSION = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")


@dataclass(frozen=True, slots=True)
class Account:
    """What this cloud answers for."""

    subscription: str = SUBSCRIPTION
    group: str = RESOURCE_GROUP

    def check(self, request: web.Request) -> None:
        """Problem for a request that Azure would not let through, in Azure's order."""
        if not request.headers.get("Authorization"):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            )
        version = request.query.get("api-version", "")
        if not version:
            raise mistake(
                "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        if not API_VERSION.fullmatch(version):
            raise mistake("InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
        subscription = request.match_info["subscription"]
        if subscription.lower() != self.subscription.lower():
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "SubscriptionNotFound",
                f"The subscription '{subscription}' could not be found.",
            )
        group = request.match_info.get("group", self.group)
        if group.lower() != self.group.lower():
            raise Problem(
                HTTPStatus.NOT_FOUND, "ResourceGroupNotFound", f"Resource group '{group}' could not be found."
            )
