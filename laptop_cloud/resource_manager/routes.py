"""The part of Azure Resource Manager that azure-mgmt-compute uses, answered from what the cloud knows."""

from __future__ import annotations

from http import HTTPStatus
from json import JSONDecodeError
from typing import Any

from aiohttp import web
from yarl import URL

from laptop_cloud.machines.eviction import NOTICE_SECONDS
from laptop_cloud.resource_manager import pages, shapes
from laptop_cloud.resource_manager.account import RATE_HEADERS, Account
from laptop_cloud.resource_manager.compute import Compute
from laptop_cloud.resource_manager.order import read_order
from laptop_cloud.resource_manager.problems import Problem, mistake
from laptop_cloud.resource_manager.records import Machine, Operation, Status
from laptop_cloud.resource_manager.throttle import Group, Throttle
from laptop_cloud.resource_manager.troubles import Forgetfulness

SUBSCRIPTION = "/subscriptions/{subscription}"
IN_GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}"
COMPUTE = "/providers/Microsoft.Compute"
MACHINES = f"{IN_GROUP}{COMPUTE}/virtualMachines"
MACHINE = f"{MACHINES}/{{vm}}"
LOCATION = f"{SUBSCRIPTION}{COMPUTE}/locations/{{location}}"
POLL_CLOUD_SECONDS = 5.0


class MachineRoutes:
    """Requests about virtual machines and operations."""

    def __init__(
        self, compute: Compute, account: Account, throttle: Throttle, forgetful: Forgetfulness
    ) -> None:
        self._compute = compute
        self._account = account
        self._throttle = throttle
        self._forgetful = forgetful

    def add_to(self, app: web.Application) -> None:
        router = app.router
        router.add_get(f"{SUBSCRIPTION}{COMPUTE}/virtualMachines", self.list_all)
        router.add_get(MACHINES, self.list_group)
        router.add_get(f"{LOCATION}/virtualMachines", self.list_location)
        router.add_get(MACHINE, self.get)
        router.add_get(f"{MACHINE}/instanceView", self.instance_view)
        router.add_put(MACHINE, self.put)
        router.add_delete(MACHINE, self.delete)
        router.add_post(f"{MACHINE}/simulateEviction", self.simulate_eviction)
        router.add_post(f"{MACHINE}/{{verb:start|restart|powerOff|deallocate}}", self.change)
        router.add_get(f"{LOCATION}/operations/{{operation}}", self.poll)

    async def list_all(self, request: web.Request) -> web.Response:
        self._admit(request, "reads", Group.LIST)
        if request.query.get("statusOnly", "false").lower() == "true":
            return self._page(request, statuses_only=True)
        return self._page(request)

    async def list_group(self, request: web.Request) -> web.Response:
        self._admit(request, "reads", Group.LIST)
        if "$expand" in request.query or "$filter" in request.query:
            raise mistake(
                "BadRequest", "$expand and $filter are for members of scale sets alone; there are none."
            )
        return self._page(request)

    async def list_location(self, request: web.Request) -> web.Response:
        self._admit(request, "reads", Group.LIST)
        return self._page(request, location=request.match_info["location"].lower())

    async def get(self, request: web.Request) -> web.Response:
        self._admit(request, "reads", Group.GET)
        machine = self._machine(request)
        with_view = request.query.get("$expand", "").lower() == "instanceview"
        return web.json_response(
            shapes.machine_model(machine, self._account.subscription, with_view=with_view)
        )

    async def instance_view(self, request: web.Request) -> web.Response:
        self._admit(request, "reads", Group.GET)
        return web.json_response(shapes.instance_view(self._machine(request)))

    async def put(self, request: web.Request) -> web.Response:
        self._admit(request, "writes", Group.PUT)
        order = read_order(request.match_info["vm"], self._group(request), await _body(request))
        machine, operation, is_new = self._compute.put(order)
        status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
        model = shapes.machine_model(machine, self._account.subscription)
        return web.json_response(model, status=status, headers=self._follow(request, operation))

    async def delete(self, request: web.Request) -> web.Response:
        self._admit(request, "deletes", Group.DELETE)
        is_forced = _flag(request, "forceDeletion")
        operation = self._compute.delete(request.match_info["vm"], self._group(request), is_forced=is_forced)
        if operation is None:
            return web.Response(status=HTTPStatus.NO_CONTENT)
        return web.Response(status=HTTPStatus.ACCEPTED, headers=self._follow(request, operation))

    async def simulate_eviction(self, request: web.Request) -> web.Response:
        self._admit(request, "writes", Group.DELETE)
        self._compute.evict(request.match_info["vm"], self._group(request), NOTICE_SECONDS)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def change(self, request: web.Request) -> web.Response:
        verb, vm, group = request.match_info["verb"], request.match_info["vm"], self._group(request)
        self._admit(request, "writes", Group.DELETE if verb == "deallocate" else Group.UPDATE)
        match verb:
            case "start":
                operation = self._compute.start(vm, group)
            case "restart":
                operation = self._compute.restart(vm, group)
            case "powerOff":
                operation = self._compute.power_off(vm, group)
            case _:
                operation = self._compute.deallocate(vm, group, is_forced=_flag(request, "forceDeallocate"))
        return web.Response(status=HTTPStatus.ACCEPTED, headers=self._follow(request, operation))

    async def poll(self, request: web.Request) -> web.Response:
        """`monitor=true` is what a Location asks for: the answer itself, not how far it is."""
        self._account.check(request)
        with self._compute.at_this_moment() as world:
            operation = world.operations.get(request.match_info["operation"])
        if operation is None:
            raise Problem(HTTPStatus.NOT_FOUND, "OperationNotFound", "The operation is not known.")
        self._admit(request, "reads", Group.POLL, operation.machine)
        is_running = operation.status is Status.IN_PROGRESS
        headers = self._follow(request, operation) if is_running else {}
        if request.query.get("monitor") != "true":
            headers.pop("Location", None)
            return web.json_response(shapes.operation_status(operation), headers=headers)
        if operation.status is Status.FAILED:
            raise Problem(HTTPStatus.CONFLICT, operation.failure_code, operation.failure_text)
        return web.Response(status=HTTPStatus.ACCEPTED if is_running else HTTPStatus.OK, headers=headers)

    def _page(self, request: web.Request, *, statuses_only: bool = False, location: str = "") -> web.Response:
        subscription = self._account.subscription
        with self._compute.at_this_moment() as world:
            wanted = [
                (key, machine)
                for key, machine in world.machines.items()
                if location in ("", machine.location)
            ]
            machines, token = pages.page(wanted, request.query.get(pages.TOKEN, ""))
            rows = [
                shapes.machine_status(machine, subscription, with_power=not self._forgetful.forgets())
                if statuses_only
                else shapes.machine_model(machine, subscription)
                for machine in machines
            ]
        return web.json_response(pages.answer(request.url, rows, token))

    def _machine(self, request: web.Request) -> Machine:
        return self._compute.machine(request.match_info["vm"], self._group(request))

    def _group(self, request: web.Request) -> str:
        return request.match_info["group"]

    def _admit(self, request: web.Request, door: str, group: Group, machine: str = "") -> None:
        """Problem for a stranger, an unknown group, or one request too many."""
        self._account.check(request)
        name = machine or request.match_info.get("vm", "")
        known = self._compute.world.machines.get(name.lower())
        region = known.location if known else ""
        request[RATE_HEADERS] = self._throttle.admit(door, region, group, name.lower())

    def _follow(self, request: web.Request, operation: Operation) -> dict[str, str]:
        """Where to ask how far an operation is: absolute, as seen by whoever asked."""
        place = URL(f"{request.url.origin()}").with_path(
            LOCATION.format(subscription=self._account.subscription, location=operation.location)
            + f"/operations/{operation.id}"
        )
        place = place.with_query({"api-version": request.query["api-version"]})
        return {
            "Azure-AsyncOperation": str(place),
            "Location": str(place.update_query({"monitor": "true"})),
            "Retry-After": str(self._compute.clock.client_seconds(POLL_CLOUD_SECONDS)),
        }


async def _body(request: web.Request) -> Any:
    try:
        return await request.json()
    except (JSONDecodeError, UnicodeDecodeError) as error:
        raise mistake("InvalidRequestContent", "The request content is no JSON.") from error


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "false").lower() == "true"
