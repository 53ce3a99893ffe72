"""The instance metadata service of one VM: what it would find at 169.254.169.254, on a port of its own.

Like the real one it wants the header `Metadata: true` and no proxy, answers a handful of requests per second,
and takes its time over the first question for events, which switches them on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from json import JSONDecodeError
from typing import Any

from aiohttp import web

from laptop_cloud.metadata.answers import Instance, token
from laptop_cloud.metadata.scheduled_events import ScheduledEvents

REQUESTS_PER_SECOND = 5
TOKENS_PER_SECOND = 20
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MetadataService:
    """What one VM is answered; `application()` serves it."""

    def __init__(
        self, instance: Instance, events: ScheduledEvents, *, first_call_seconds: float = 0.0
    ) -> None:
        """`first_call_seconds`: how long the first question for events takes; up to 120 on Azure."""
        self._instance = instance
        self._events = events
        self._first_call_seconds = first_call_seconds
        self._asked_at: dict[int, deque[float]] = {}
        """time.monotonic() of the latest requests, by the limit that they count towards."""

    def application(self) -> web.Application:
        """`/metadata/...`."""
        app = web.Application(middlewares=[self._like_azure])
        app.router.add_get("/metadata/scheduledevents", self._read_events)
        app.router.add_post("/metadata/scheduledevents", self._approve_events)
        app.router.add_get("/metadata/instance", self._read_instance)
        app.router.add_get("/metadata/instance/compute", self._read_compute)
        app.router.add_get("/metadata/instance/compute/{leaf}", self._read_leaf)
        app.router.add_get("/metadata/identity/oauth2/token", self._read_token)
        return app

    @web.middleware
    async def _like_azure(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Metadata", "").lower() != "true":
            return _refused(400, "Bad request. Required metadata header not specified")
        if "X-Forwarded-For" in request.headers:
            return _refused(400, "Bad request. Proxied requests are not answered")
        if not request.query.get("api-version"):
            return _refused(400, "Bad request. api-version is missing")
        limit = TOKENS_PER_SECOND if "/identity/" in request.path else REQUESTS_PER_SECOND
        if not self._may_ask(limit, time.monotonic()):
            return _refused(429, "Too many requests")
        return await handler(request)

    def _may_ask(self, limit_per_second: int, now: float) -> bool:
        """Count one more request, unless it is one too many within a second."""
        latest = self._asked_at.setdefault(limit_per_second, deque(maxlen=limit_per_second))
        if len(latest) == limit_per_second and now - latest[0] < 1:
            return False
        latest.append(now)
        return True

    async def _read_events(self, _request: web.Request) -> web.Response:
        await asyncio.sleep(self._first_call_seconds)
        self._first_call_seconds = 0.0
        return web.json_response(self._events.document(self._instance.name))

    async def _approve_events(self, request: web.Request) -> web.Response:
        try:
            asked: Any = await request.json()
            ids = [str(one["EventId"]) for one in asked["StartRequests"]]
        except (JSONDecodeError, KeyError, TypeError):
            return _refused(400, "Bad request. StartRequests is missing or malformed")
        unknown = [one for one in ids if not self._events.approve(self._instance.name, one)]
        if unknown:
            return _refused(400, f"Bad request. There is no event {unknown[0]}")
        return web.Response()

    async def _read_instance(self, _request: web.Request) -> web.Response:
        return web.json_response({"compute": self._instance.compute()})

    async def _read_compute(self, _request: web.Request) -> web.Response:
        return web.json_response(self._instance.compute())

    async def _read_leaf(self, request: web.Request) -> web.Response:
        value = self._instance.compute().get(request.match_info["leaf"])
        if not isinstance(value, str):
            return _refused(404, "Not found")
        if request.query.get("format") != "text":
            return _refused(400, "Bad request. A leaf is read with format=text")
        return web.Response(text=value)

    async def _read_token(self, request: web.Request) -> web.Response:
        resource = request.query.get("resource", "")
        if not resource:
            return _refused(400, "Required parameter resource is missing")
        return web.json_response(token(self._instance, resource, time.time()))


def _refused(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)
