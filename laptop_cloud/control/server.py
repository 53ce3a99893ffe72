"""Where a laptop cloud that runs takes orders: on loopback, from whoever can read a file in its folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from aiohttp import web

from contract.errors import TilefleetError
from laptop_cloud import served
from laptop_cloud.cloud import LaptopCloud
from laptop_cloud.control.client import CONTROL_FILE, ORDERS_PATH
from laptop_cloud.control.managed_orders import ManagedOrders
from laptop_cloud.control.orders import Orders
from laptop_cloud.machines.room import MachineRoom


@contextlib.contextmanager
def running(
    home: Path, cloud: LaptopCloud, room: MachineRoom, managed: ManagedOrders | None = None
) -> Iterator[None]:
    """Take orders while the context lasts; `<home>/control.json` says where, and holds the token."""
    orders = Orders(room, cloud.relay, cloud.imagery_url, managed)
    token = secrets.token_urlsafe(32)
    path = home / CONTROL_FILE
    with served.running("control") as servers:
        url = servers.serve(application(orders, token))
        path.unlink(missing_ok=True)
        # Nobody else may read it, not even for the moment before a chmod.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w") as file:  # noqa: PTH123 - of a descriptor
            json.dump({"url": url, "token": token}, file)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def application(orders: Orders, token: str) -> web.Application:
    """`POST /orders` with `{"order": ..., "arguments": {...}}`."""

    async def carry_out(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return web.Response(status=401, text="the token is wrong")
        try:
            content: Any = await request.json()
            order, arguments = str(content["order"]), dict(content["arguments"])
        except (JSONDecodeError, KeyError, TypeError, ValueError):
            return web.Response(status=400, text="that is no order")
        try:
            answer = await asyncio.to_thread(orders.carry_out, order, arguments)
        except TilefleetError as error:
            return web.Response(status=400, text=str(error))
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post(ORDERS_PATH, carry_out)
    return app
