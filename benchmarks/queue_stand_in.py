"""A process that answers every Put Message with 201: what a sender can do when the queue is not the limit.

It checks nothing and keeps nothing but counts, so that most of the two cores is left to the sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import re
from collections.abc import Iterator
from multiprocessing.connection import Connection

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 201 Created\r\nContent-Type: application/xml\r\nContent-Length: 23\r\n\r\n<QueueMessagesList />  "


class _Connection(asyncio.Protocol):
    """Reads requests by their length, answers each."""

    answered = 0

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer, 0, end)
            whole = end + 4 + (int(length.group(1)) if length else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            type(self).answered += 1
            self._transport.write(_ANSWER)


async def _serve(pipe: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    with contextlib.suppress(EOFError):
        while await asyncio.to_thread(pipe.recv) == "count":
            pipe.send(_Connection.answered)


def _main(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


@contextlib.contextmanager
def running() -> Iterator[tuple[str, Connection]]:
    """The stand-in's queue endpoint, and a pipe that answers "count" with how many messages came."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/standin", ours
    finally:
        ours.close()
        process.terminate()
        process.join()
