"""Small HTTP servers in one thread of this process, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from aiohttp import web

from laptop_cloud.processes import LOOPBACK

STOP_SECONDS = 20


class ServerThread:
    """Serves applications until its context ends; `running` makes one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._runners: dict[str, web.AppRunner] = {}
        """By URL."""

    def serve(self, app: web.Application) -> str:
        """Serve one more on a free port, from any thread; its URL, without a trailing slash."""
        return asyncio.run_coroutine_threadsafe(self._serve(app), self._loop).result()

    def end(self, url: str) -> None:
        """Serve that one no more."""
        runner = self._runners.pop(url)
        asyncio.run_coroutine_threadsafe(runner.cleanup(), self._loop).result(STOP_SECONDS)

    async def _serve(self, app: web.Application) -> str:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        # Port 0, and asked afterwards: nobody can take it in between.
        await web.TCPSite(runner, LOOPBACK, 0, shutdown_timeout=1).start()
        url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        self._runners[url] = runner
        return url

    async def close(self) -> None:
        """End all of them."""
        for runner in self._runners.values():
            await runner.cleanup()


@contextlib.contextmanager
def running(name: str) -> Iterator[ServerThread]:
    """The thread, without an application yet."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    servers = ServerThread(loop)
    try:
        yield servers
    finally:
        asyncio.run_coroutine_threadsafe(servers.close(), loop).result(STOP_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_SECONDS)
        loop.close()
