"""What a planner asks before it orders: a region's usages, the sizes that are sold, and what it may do itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aiohttp import web

from laptop_cloud.resource_manager import shapes
from laptop_cloud.resource_manager.account import RATE_HEADERS, Account
from laptop_cloud.resource_manager.compute import Compute
from laptop_cloud.resource_manager.problems import mistake
from laptop_cloud.resource_manager.routes import COMPUTE, IN_GROUP, LOCATION, SUBSCRIPTION
from laptop_cloud.resource_manager.sizes import REGIONS, SIZES
from laptop_cloud.resource_manager.throttle import Throttle

PERMISSIONS = "providers/Microsoft.Authorization/permissions"
_FILTER = re.compile(r"location eq '([A-Za-z0-9]+)'")


def add_catalogue(app: web.Application, compute: Compute, account: Account, throttle: Throttle) -> None:
    """Its routes."""

    async def usages(request: web.Request) -> web.Response:
        account.check(request)
        location = request.match_info["location"].lower()
        request[RATE_HEADERS] = throttle.admit("reads", location, None, "")
        with compute.at_this_moment():
            rows = [shapes.usage(row) for row in compute.quotas.usages(location)]
        return web.json_response({"value": rows})

    async def skus(request: web.Request) -> web.Response:
        account.check(request)
        request[RATE_HEADERS] = throttle.admit("reads", "", None, "")
        locations = _locations(request.query.get("$filter", ""))
        rows = [shapes.sku(size, location) for location in locations for size in SIZES.values()]
        return web.json_response({"value": rows})

    async def permissions(request: web.Request) -> web.Response:
        """Whoever shows a token may do everything."""
        account.check(request)
        request[RATE_HEADERS] = throttle.admit("reads", "", None, "")
        everything = {"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []}
        return web.json_response({"value": [everything]})

    app.router.add_get(f"{LOCATION}/usages", usages)
    app.router.add_get(f"{SUBSCRIPTION}{COMPUTE}/skus", skus)
    app.router.add_get(f"{SUBSCRIPTION}/{PERMISSIONS}", permissions)
    app.router.add_get(f"{IN_GROUP}/{{of:(.*/)?}}{PERMISSIONS}", permissions)


def _locations(wanted: str) -> Sequence[str]:
    if not wanted:
        return REGIONS
    match = _FILTER.fullmatch(wanted.strip())
    if match is None:
        raise mistake("InvalidFilter", "Only the filter \"location eq '<region>'\" is supported.")
    return [region for region in REGIONS if region == match.group(1).lower()]
