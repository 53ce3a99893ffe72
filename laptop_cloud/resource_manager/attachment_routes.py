"""Disks and interfaces: listed, so that leaks are found, and deleted."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from aiohttp import web

from laptop_cloud.resource_manager import pages, shapes
from laptop_cloud.resource_manager.account import RATE_HEADERS, Account
from laptop_cloud.resource_manager.attachments import DISK, INTERFACE, key_of
from laptop_cloud.resource_manager.compute import Compute
from laptop_cloud.resource_manager.problems import conflict, not_found
from laptop_cloud.resource_manager.routes import IN_GROUP, SUBSCRIPTION
from laptop_cloud.resource_manager.throttle import Throttle

ADDRESS = "Microsoft.Network/publicIPAddresses"
"""There never are any; asking for them is answered."""


class AttachmentRoutes:
    """The same requests for each type."""

    def __init__(self, compute: Compute, account: Account, throttle: Throttle) -> None:
        self._compute = compute
        self._account = account
        self._throttle = throttle

    def add_to(self, app: web.Application) -> None:
        for type_ in (DISK, INTERFACE, ADDRESS):
            for scope in (SUBSCRIPTION, IN_GROUP):
                app.router.add_get(f"{scope}/providers/{type_}", partial(self._list, type_))
            one = f"{IN_GROUP}/providers/{type_}/{{name}}"
            app.router.add_get(one, partial(self._get, type_))
            app.router.add_delete(one, partial(self._delete, type_))

    async def _list(self, type_: str, request: web.Request) -> web.Response:
        self._admit(request, "reads")
        with self._compute.at_this_moment() as world:
            wanted = [(key, one) for key, one in world.attached.items() if one.type == type_]
            chosen, token = pages.page(wanted, request.query.get(pages.TOKEN, ""))
            rows = [
                shapes.attached_model(
                    one, self._account.subscription, world.machines.get(one.machine.lower())
                )
                for one in chosen
            ]
        return web.json_response(pages.answer(request.url, rows, token))

    async def _get(self, type_: str, request: web.Request) -> web.Response:
        self._admit(request, "reads")
        name = request.match_info["name"]
        with self._compute.at_this_moment() as world:
            one = world.attached.get(key_of(type_, name))
            if one is None:
                raise not_found(type_, name, request.match_info["group"])
            machine = world.machines.get(one.machine.lower())
            return web.json_response(shapes.attached_model(one, self._account.subscription, machine))

    async def _delete(self, type_: str, request: web.Request) -> web.Response:
        """Done when it is answered: nothing of a laptop's takes longer."""
        self._admit(request, "deletes")
        key = key_of(type_, request.match_info["name"])
        with self._compute.at_this_moment() as world:
            one = world.attached.get(key)
            if one is None:
                return web.Response(status=HTTPStatus.NO_CONTENT)
            if one.machine:
                code = "OperationNotAllowed" if type_ == DISK else "NicInUse"
                raise conflict(code, f"'{one.name}' is attached to VM '{one.machine}' and cannot be deleted.")
            del world.attached[key]
            world.edits += 1
        return web.Response(status=HTTPStatus.OK)

    def _admit(self, request: web.Request, door: str) -> None:
        self._account.check(request)
        request[RATE_HEADERS] = self._throttle.admit(door, "", None, "")
