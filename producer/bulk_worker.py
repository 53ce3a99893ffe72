"""One sending process: takes batches of message bodies from a pipe and puts them over many connections.

It knows nothing of tiles. It ends when its pipe closes, also when the producer was killed.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from multiprocessing.connection import Connection
from typing import Final

import aiohttp

from producer.put_message import QueueAddress, Secret, headers_for, message_xml

CREATED: Final = 201
WORTH_RETRYING: Final = {500, 503}
"""OperationTimedOut and ServerBusy: what Azure answers above 2,000 messages a second."""
RETRY_PAUSES_SECONDS: Final = (0.2, 0.4, 0.8, 1.6, 3.2)
REQUEST_SECONDS: Final = 10.0
# Azurite closes idle connections after 5 s; one that dies under a request costs a retry, and may double it.
KEEP_ALIVE_SECONDS: Final = 4.0
_ERROR_CODE = re.compile(rb"<Code>(\w{1,60})</Code>")


@dataclass(frozen=True, slots=True)
class Batch:
    """What to put where. The secret comes with each batch because tokens are renewed."""

    address: QueueAddress
    secret: Secret
    bodies: Sequence[str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a batch was not put whole."""

    status: int
    """Of the answer; 0 when there was none."""
    reason: str
    """The service's error code, or what happened to the connection."""


def serve(pipe: Connection, connections: int) -> None:
    """Answer each Batch from `pipe` with None (all put) or a Refusal, until the pipe closes."""
    asyncio.run(_serve(pipe, connections))


async def _serve(pipe: Connection, connections: int) -> None:
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEP_ALIVE_SECONDS)
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    # trust_env stays off: no proxy from the environment, the endpoint is what the fleet says.
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        while True:
            try:
                batch = await asyncio.to_thread(pipe.recv)
                pipe.send(await put_all(session, batch, connections))
            except (EOFError, BrokenPipeError):
                return


async def put_all(session: aiohttp.ClientSession, batch: Batch, connections: int) -> Refusal | None:
    """Put every body, `connections` at a time; the first refusal ends the batch with some not put."""
    waiting = iter(batch.bodies)
    lanes = [_put_from(session, batch, waiting) for _ in range(min(connections, len(batch.bodies)))]
    tasks = [asyncio.create_task(lane) for lane in lanes]
    try:
        for answer in asyncio.as_completed(tasks):
            if refusal := await answer:
                return refusal
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return None


async def _put_from(session: aiohttp.ClientSession, batch: Batch, waiting: Iterator[str]) -> Refusal | None:
    for body in waiting:
        if refusal := await _put_with_retries(session, batch, message_xml(body)):
            return refusal
    return None


async def _put_with_retries(session: aiohttp.ClientSession, batch: Batch, content: bytes) -> Refusal | None:
    refusal = await _put(session, batch, content)
    for pause_seconds in RETRY_PAUSES_SECONDS:
        if refusal is None or not (refusal.status == 0 or refusal.status in WORTH_RETRYING):
            return refusal
        await asyncio.sleep(pause_seconds * random.uniform(0.5, 1.5))
        refusal = await _put(session, batch, content)
    return refusal


async def _put(session: aiohttp.ClientSession, batch: Batch, content: bytes) -> Refusal | None:
    """One try. After a lost answer the message may be there all the same: a retry doubles it, harmlessly."""
    headers = headers_for(
        batch.address, batch.secret, content_length=len(content), http_date=formatdate(usegmt=True)
    )
    try:
        async with session.post(batch.address.url, data=content, headers=headers) as answer:
            text = await answer.read()
            if answer.status == CREATED:
                return None
            code = _ERROR_CODE.search(text[:4096])
            return Refusal(answer.status, code.group(1).decode("ascii") if code else answer.reason or "")
    except (aiohttp.ClientError, TimeoutError) as error:
        return Refusal(0, f"no answer ({type(error).__name__}: {str(error)[:120]})")
