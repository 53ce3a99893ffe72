"""The Resource Manager of the laptop cloud, served: requests in, time passing, knowledge saved."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web

from laptop_cloud import served
from laptop_cloud.resource_manager.account import RATE_HEADERS, Account
from laptop_cloud.resource_manager.attachment_routes import AttachmentRoutes
from laptop_cloud.resource_manager.catalogue import add_catalogue
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.compute import Backends, Compute, Plan
from laptop_cloud.resource_manager.prices import add_prices
from laptop_cloud.resource_manager.problems import Problem
from laptop_cloud.resource_manager.records import World
from laptop_cloud.resource_manager.routes import MachineRoutes
from laptop_cloud.resource_manager.saved import load, save
from laptop_cloud.resource_manager.throttle import Throttle
from laptop_cloud.resource_manager.troubles import Forgetfulness

STEP_SECONDS = 0.1
"""Time also passes while nobody asks: consumers have to be started."""
SAVE_SECONDS = 1.0
MAX_BODY_BYTES = 1024**2
REFUSED = web.AppKey("refused", Counter[str])
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ResourceManager:
    """One that runs."""

    url: str
    account: Account
    compute: Compute
    throttle: Throttle
    forgetful: Forgetfulness
    refused: Counter[str]
    """Requests that wanted a change and were refused at once, by Azure's code. The server's thread counts."""


@contextlib.contextmanager
def running(
    path: Path, clock: CloudClock, backends: Backends, *, plan: Plan | None = None, seed: int = 0
) -> Iterator[ResourceManager]:
    """Served until the context ends; machines that an earlier one saved in `path` are there again."""
    compute = Compute(load(path), clock, plan or Plan(), backends)
    account, throttle, forgetful = Account(), Throttle(clock), Forgetfulness(clock, seed)
    app = application(compute, account, throttle, forgetful)
    app.cleanup_ctx.append(lambda _: _kept(compute, path))
    try:
        with served.running("resource-manager") as servers:
            url = servers.serve(app)
            yield ResourceManager(url, account, compute, throttle, forgetful, app[REFUSED])
    finally:
        compute.close()


def application(
    compute: Compute, account: Account, throttle: Throttle, forgetful: Forgetfulness
) -> web.Application:
    """All routes."""
    app = web.Application(middlewares=[_like_azure], client_max_size=MAX_BODY_BYTES)
    app[REFUSED] = Counter()
    MachineRoutes(compute, account, throttle, forgetful).add_to(app)
    AttachmentRoutes(compute, account, throttle).add_to(app)
    add_catalogue(app, compute, account, throttle)
    add_prices(app)
    return app


@web.middleware
async def _like_azure(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        response = await handler(request)
    except Problem as problem:
        if request.method != hdrs.METH_GET:
            request.app[REFUSED][problem.code] += 1
        response = web.json_response(problem.body, status=problem.status)
        if problem.wait:
            response.headers["Retry-After"] = str(problem.wait)
    except web.HTTPNotFound:
        text = f"No route of this cloud is {request.method} {request.path}."
        body = {"error": {"code": "InvalidResourceType", "message": text}}
        response = web.json_response(body, status=HTTPStatus.NOT_FOUND)
    for name, value in request.get(RATE_HEADERS, []):
        response.headers.add(name, value)  # the same name repeats
    response.headers["x-ms-request-id"] = str(uuid.uuid4())
    return response


async def _kept(compute: Compute, path: Path) -> AsyncIterator[None]:
    """Let time pass, and save what came of it."""
    moving = asyncio.create_task(_keep(compute, path))
    yield
    moving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await moving
    with compute.at_this_moment() as world:
        _save(path, world)


async def _keep(compute: Compute, path: Path) -> None:
    loop = asyncio.get_running_loop()
    saved_at, saved_edits = loop.time(), compute.world.edits
    while True:
        await asyncio.sleep(STEP_SECONDS)
        with compute.at_this_moment() as world:
            if world.edits != saved_edits and loop.time() - saved_at >= SAVE_SECONDS:
                _save(path, world)
                saved_at, saved_edits = loop.time(), world.edits


def _save(path: Path, world: World) -> None:
    """Without a disk that takes it time goes on all the same; a restart finds what was saved before."""
    try:
        save(path, world)
    except OSError as error:
        print(f"the machines could not be noted in {path}: {error}", flush=True)
