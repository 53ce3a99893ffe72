"""Stands between the programs and the storage emulator, and misbehaves on demand.

Run as a process of its own (`python -m laptop_cloud.storage_relay`), one port for blobs and one for queues. The
signatures of requests do not cover the host, so they are passed on as they are; bodies flow through in pieces.
`PUT /_relay/faults` changes the day, `GET /_relay/counts` tells what came and what became of it.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, MultiMapping
from yarl import URL

from contract.errors import BadInput
from laptop_cloud.processes import LOOPBACK
from laptop_cloud.request_kinds import request_kind
from laptop_cloud.storage_faults import Fate, StorageDay, StorageFaults

FAULTS_PATH = "/_relay/faults"
COUNTS_PATH = "/_relay/counts"
PIECE_BYTES = 64 * 1024
SILENCE_SECONDS = 3600
# Between two hosts only (RFC 9110, 7.6.1), or made anew by whoever sends the next piece of the way.
_HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "expect"})
_REFUSALS = {
    Fate.BUSY: (503, "ServerBusy", "The server is busy."),
    Fate.TIMED_OUT: (500, "OperationTimedOut", "Operation could not be completed within the permitted time."),
}


class Relay:
    """What both ports share: the day, and the counts."""

    def __init__(self) -> None:
        self._day = StorageDay(StorageFaults())
        self._ends_at = float("inf")
        """time.monotonic() at which the day is good again."""
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def application(self, service: str, upstream: str) -> web.Application:
        """One port's routes; `upstream` is the emulator's scheme, host and port."""
        app = web.Application()
        app.cleanup_ctx.append(_session)
        app.router.add_put(FAULTS_PATH, self._change_day)
        app.router.add_get(COUNTS_PATH, self._read_counts)
        app.router.add_delete(COUNTS_PATH, self._forget_counts)

        async def relayed(request: web.Request) -> web.StreamResponse:
            kind = request_kind(service, request.method, request.raw_path, request.headers)
            fate = self._fate(kind)
            self._counts[kind][fate] += 1
            await asyncio.sleep(self._day.faults.latency_ms / 1000 if self._day.faults.hits(kind) else 0)
            return await _carry_out(fate, request, upstream, self._day.faults.clock_shift_seconds)

        app.router.add_route("*", "/{path:.*}", relayed)
        return app

    def _fate(self, kind: str) -> Fate:
        if time.monotonic() >= self._ends_at:
            self._day, self._ends_at = StorageDay(StorageFaults()), float("inf")
        return self._day.fate(kind)

    async def _change_day(self, request: web.Request) -> web.Response:
        try:
            seconds = float(request.query.get("seconds", "inf"))
            self._day = StorageDay(StorageFaults.from_json(await request.json()))
        except (BadInput, ValueError) as error:
            return web.Response(status=400, text=str(error))
        self._ends_at = time.monotonic() + seconds
        return web.Response()

    async def _read_counts(self, _request: web.Request) -> web.Response:
        return web.json_response(self._counts)

    async def _forget_counts(self, _request: web.Request) -> web.Response:
        self._counts.clear()
        return web.Response()


async def _session(app: web.Application) -> AsyncIterator[None]:
    # A connection for each request: one that the emulator closes while it idles would be tried again behind the
    # client's back, and a relay must not repeat what was asked once.
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        app[_SESSION] = session
        yield


_SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)


async def _carry_out(
    fate: Fate, request: web.Request, upstream: str, clock_shift_seconds: float
) -> web.StreamResponse:
    if fate in _REFUSALS:
        await _drain(request.content)
        return _refusal(*_REFUSALS[fate])
    if fate is Fate.CUT_BEFORE:
        return _cut(request)
    if fate is Fate.STALLED_BEFORE:
        await asyncio.sleep(SILENCE_SECONDS)
        return _cut(request)
    try:
        answer = await _ask(request, upstream)
    except aiohttp.ClientError:
        return _cut(request)  # as the emulator itself would have: refused, or ended in the middle
    async with answer:
        if fate in {Fate.CUT_AFTER, Fate.STALLED_AFTER}:
            await _drain(answer.content)
            await asyncio.sleep(SILENCE_SECONDS if fate is Fate.STALLED_AFTER else 0)
            return _cut(request)
        return await _pass_on(answer, request, clock_shift_seconds)


async def _ask(request: web.Request, upstream: str) -> aiohttp.ClientResponse:
    return await request.app[_SESSION].request(
        request.method,
        URL(f"{upstream}{request.raw_path}", encoded=True),
        headers=_end_to_end(request.headers),
        data=request.content.iter_chunked(PIECE_BYTES) if request.can_read_body else None,
        allow_redirects=False,
    )


async def _pass_on(
    answer: aiohttp.ClientResponse, request: web.Request, clock_shift_seconds: float
) -> web.StreamResponse:
    headers = _end_to_end(answer.headers)
    if clock_shift_seconds:
        headers["Date"] = _shifted(headers.get("Date", ""), clock_shift_seconds)
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            await response.write(piece)
    except aiohttp.ClientError:
        return _cut(request)
    await response.write_eof()
    return response


def _end_to_end(headers: MultiMapping[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_HEADERS)


def _shifted(date: str, seconds: float) -> str:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        moment = datetime.now(UTC)
    return format_datetime(moment + timedelta(seconds=seconds), usegmt=True)


def _refusal(status: int, code: str, message: str) -> web.Response:
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return web.Response(
        status=status, body=body.encode(), content_type="application/xml", headers={"x-ms-error-code": code}
    )


def _cut(request: web.Request) -> web.StreamResponse:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # for aiohttp, which finds nobody to send it to


async def _drain(content: aiohttp.StreamReader) -> None:
    async for _ in content.iter_chunked(PIECE_BYTES):
        pass


async def serve(ports: dict[str, int], upstreams: dict[str, str]) -> None:
    """Relay both services until the process ends."""
    relay = Relay()
    for service, port in ports.items():
        runner = web.AppRunner(
            relay.application(service, upstreams[service]), access_log=None, handler_cancellation=True
        )
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, port).start()
    await asyncio.Event().wait()


def main(arguments: list[str] | None = None) -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m laptop_cloud.storage_relay", description=__doc__)
    for service in ("blob", "queue"):
        parser.add_argument(f"--{service}-port", type=int, required=True, help="port on 127.0.0.1")
        parser.add_argument(f"--{service}-upstream", required=True, help="such as http://127.0.0.1:10000")
    options = vars(parser.parse_args(arguments))
    ports = {service: options[f"{service}_port"] for service in ("blob", "queue")}
    upstreams = {service: options[f"{service}_upstream"] for service in ("blob", "queue")}
    asyncio.run(serve(ports, upstreams))


if __name__ == "__main__":
    main()
