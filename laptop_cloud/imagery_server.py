"""Serves a folder of images over HTTP with byte ranges, on loopback, and counts how it is read.

Run as a process of its own (`python -m laptop_cloud.imagery_server --root FOLDER --port PORT`). `GET /_stats`
answers with the counts since the start, which is how a test or a bench proves that only ranges were read.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from laptop_cloud import processes
from laptop_cloud.imagery_faults import TOKEN_PATH, Day, Faults

STATS_PATH = "/_stats"
FAULTS_PATH = "/_faults"
"""`PUT /_faults?seconds=N` with Faults as JSON: another day for so many seconds."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Counts:
    """What was asked and answered so far; requests for the counts themselves are left out."""

    requests: int = 0
    heads: int = 0
    range_requests: int = 0
    whole_files: int = 0
    """GETs answered with an entire file."""
    failures: int = 0
    """Answers of status 400 and above."""
    bytes_sent: int = 0
    """Bytes of the bodies."""
    at_once: int = 0
    """Requests being answered right now."""
    most_at_once: int = 0

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """Within it, one more request is being answered."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            self.at_once -= 1

    def add(self, request: web.Request, response: web.StreamResponse) -> None:
        """Count one answered request."""
        self.requests += 1
        if response.status >= 400:
            self.failures += 1
        elif request.method == "HEAD":
            self.heads += 1
        else:
            self.range_requests += response.status == 206
            self.whole_files += response.status == 200
            self.bytes_sent += response.content_length or 0


def application(
    root: Path, *, delay_seconds: float = 0, most_at_once: int = 0, faults: Faults | None = None
) -> web.Application:
    """The server's routes over `root`; `most_at_once` requests are answered at a time (0: any number)."""
    counts = Counts()
    turns = asyncio.Semaphore(most_at_once) if most_at_once else contextlib.nullcontext()
    day = Day(faults or Faults())

    @web.middleware
    async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in {STATS_PATH, FAULTS_PATH} or request.path.startswith(TOKEN_PATH):
            return await handler(request)
        async with turns:
            with counts.one_more():
                await asyncio.sleep(delay_seconds)
                response = await handler(request)
        counts.add(request, response)
        return response

    async def stats(_request: web.Request) -> web.Response:
        return web.json_response(asdict(counts))

    async def token(_request: web.Request) -> web.Response:
        query, ends = day.token()
        return web.json_response(
            {"token": query, "msft:expiry": datetime.fromtimestamp(ends, UTC).isoformat()}
        )

    async def change_day(request: web.Request) -> web.Response:
        try:
            changed = Faults(**await request.json())
            day.become(changed, float(request.query.get("seconds", "inf")))
        except (TypeError, ValueError) as error:
            return web.Response(status=400, text=f"these faults make no sense: {error}")
        return web.Response()

    async def file(request: web.Request) -> web.StreamResponse:
        fate = day.fate(request.query.get("sig"))
        await asyncio.sleep(fate.late_seconds)
        if fate.status is not None:
            retry_after = {} if fate.status == 403 else {"Retry-After": f"{day.faults.retry_after_seconds}"}
            return web.Response(status=fate.status, headers=retry_after)
        response = read_file(root, request)
        if fate.is_cut and isinstance(response.body, bytes) and request.transport is not None:
            await _send_half(request, response)
        return response

    app = web.Application(middlewares=[counted])
    app.router.add_get(STATS_PATH, stats)
    app.router.add_put(FAULTS_PATH, change_day)
    app.router.add_get(TOKEN_PATH + "/{account}/{container}", token)
    app.router.add_get("/{path:.+}", file)  # and HEAD
    return app


def read_file(root: Path, request: web.Request) -> web.Response:
    """The file below `root` that is asked for, or its range.

    aiohttp's own answer for files is not used: it is sent before it can be counted, or else twice.
    """
    path = (root / request.match_info["path"]).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        return web.Response(status=404)
    facts = path.stat()
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'}
    try:
        asked = request.http_range
    except ValueError:
        return web.Response(status=416, headers=headers)
    start, stop, _ = asked.indices(facts.st_size)
    is_part = asked.start is not None or asked.stop is not None
    if is_part and start >= stop:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{facts.st_size}", **headers})
    if is_part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{facts.st_size}"
    if request.method == "HEAD":
        headers["Content-Length"] = str(stop - start)
        return web.Response(status=206 if is_part else 200, headers=headers)
    with path.open("rb") as file:
        file.seek(start)
        body = file.read(stop - start)
    return web.Response(status=206 if is_part else 200, body=body, headers=headers)


async def _send_half(request: web.Request, response: web.Response) -> None:
    """Promise the whole body, send half of it, and hang up."""
    body = response.body if isinstance(response.body, bytes) else b""
    await response.prepare(request)
    if request.transport is not None:
        request.transport.write(body[: len(body) // 2])
        request.transport.close()


@contextlib.contextmanager
def running(
    root: Path,
    log_path: Path,
    *,
    port: int = 0,
    delay_ms: float = 0,
    max_connections: int = 0,
    faults: Faults | None = None,
) -> Iterator[str]:
    """The server as a process of its own over `root`; the value is its URL, without a trailing slash."""
    port = port or processes.free_port()
    command = [
        *(sys.executable, "-m", "laptop_cloud.imagery_server"),
        *("--root", str(root), "--port", str(port)),
        *("--delay-ms", str(delay_ms), "--max-connections", str(max_connections)),
        *(word for name, value in asdict(faults or Faults()).items() for word in (_option(name), str(value))),
    ]
    with processes.running(
        command,
        name="the imagery server",
        log_path=log_path,
        is_ready=lambda: processes.is_listening(port),
    ):
        yield f"http://{processes.LOOPBACK}:{port}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def main(arguments: list[str] | None = None) -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m laptop_cloud.imagery_server", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder whose files are served")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--delay-ms", type=float, default=0, help="wait this long before each answer")
    parser.add_argument(
        "--max-connections", type=int, default=0, help="answer so many requests at a time; 0 for no limit"
    )
    for one in fields(Faults):
        parser.add_argument(
            _option(one.name), type=type(one.default), default=one.default, help="see imagery_faults.py"
        )
    options = parser.parse_args(arguments)
    if not options.root.is_dir():
        parser.error(f"there is no folder of images at {options.root}: make the scenes first")
    app = application(
        options.root,
        delay_seconds=options.delay_ms / 1000,
        most_at_once=options.max_connections,
        faults=Faults(**{one.name: getattr(options, one.name) for one in fields(Faults)}),
    )
    web.run_app(app, host=processes.LOOPBACK, port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
