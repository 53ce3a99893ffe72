"""A TileQueue that sends fast: one process per core, each with many connections and requests signed by hand.

The SDK spends about 4 ms of processor time on a message, this a tenth of it. Only `send_many` differs;
everything else is the SDK adapter's. See docs/decisions/0004-enqueue.md for the measurements.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Final, Self

from azure.core.credentials import AccessToken, TokenCredential

from contract.azure_errors import kind_of_answer, translated
from contract.errors import StorageUnavailable, TilefleetError
from contract.queue_limits import check_body
from contract.tile_queue import Received, TileQueue
from producer.bulk_worker import Batch, Refusal, serve
from producer.put_message import Secret, address_of

FEW_BODIES: Final = 64
"""So few messages are sent by the SDK sooner than a process has started."""
STORAGE_SCOPE: Final = "https://storage.azure.com/.default"
RENEW_TOKEN_SECONDS: Final = 300.0
"""A token with less than this left is renewed before the next batch."""
STOP_SECONDS: Final = 5.0


@dataclass(slots=True)
class Authority:
    """The account's key, or tokens renewed in time."""

    credential: TokenCredential | str = field(repr=False)
    clock: Callable[[], float] = time.time
    _token: AccessToken | None = field(default=None, repr=False)

    def secret(self) -> Secret:
        """What signs requests for the next five minutes at least."""
        if isinstance(self.credential, str):
            return Secret(account_key=self.credential)
        if self._token is None or self._token.expires_on - self.clock() < RENEW_TOKEN_SECONDS:
            with translated("getting a token for", "the storage"):
                self._token = self.credential.get_token(STORAGE_SCOPE)
        return Secret(token=self._token.token)


class SenderPool:
    """The sending processes, started at the first batch and shared by a fleet's queues."""

    def __init__(self, processes: int, connections: int) -> None:
        self._processes = processes
        self._connections = connections
        self._senders: list[tuple[SpawnProcess, Connection]] = []

    def put(self, batches: Sequence[Batch]) -> Refusal | None:
        """Put batches, at most one per process, and wait for all; the first refusal, if there was one."""
        self._start()
        busy = list(zip(self._senders, batches, strict=False))
        try:
            for (_, pipe), batch in busy:
                pipe.send(batch)
            answers: list[Refusal | None] = [pipe.recv() for (_, pipe), _ in busy]
        except (EOFError, OSError) as error:
            self.close()
            raise StorageUnavailable(
                "a sending process ended unexpectedly: type the same command again"
            ) from error
        except BaseException:
            # Interrupted between question and answer: the pipes no longer say which is which.
            self.close()
            raise
        return next((answer for answer in answers if answer is not None), None)

    @property
    def is_started(self) -> bool:
        """Whether the processes run already, so that even one message is sent sooner by them."""
        return bool(self._senders)

    @property
    def width(self) -> int:
        """How many batches are put at a time."""
        return self._processes

    def close(self) -> None:
        """End the processes; a later batch starts new ones."""
        senders, self._senders = self._senders, []
        for _, pipe in senders:
            pipe.close()
        for process, _ in senders:
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        # A terminal's Ctrl-C reaches all of its processes; senders inherit that it is blocked, from
        # their first instruction on, and end when the producer closes their pipes.
        resource_tracker.ensure_running()  # the first start would do so, and unblock SIGINT
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while len(self._senders) < self._processes:
                self._senders.append(self._start_one())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start_one(self) -> tuple[SpawnProcess, Connection]:
        # Spawned, not forked: a sender inherits no pipe but its own end, so each sees its pipe close
        # when the producer dies, even by kill -9.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._connections), daemon=True)
        process.start()
        theirs.close()
        return process, ours


class BulkTileQueue:
    """The queue of an SDK adapter, with a `send_many` that uses every core."""

    def __init__(
        self,
        sdk: TileQueue,
        queue_url: str,
        authority: Authority,
        pool: SenderPool,
        *,
        few_bodies: int = FEW_BODIES,
    ) -> None:
        self._sdk = sdk
        self._few_bodies = few_bodies
        self._address = address_of(queue_url, sdk.name)
        self._authority = authority
        self._pool = pool

    @property
    def name(self) -> str:
        return self._sdk.name

    def send_many(self, bodies: Sequence[str]) -> None:
        if len(bodies) <= self._few_bodies and not self._pool.is_started:
            self._sdk.send_many(bodies)
            return
        for body in bodies:
            check_body(body)
        secret = self._authority.secret()
        width = self._pool.width
        shares = [bodies[start::width] for start in range(width)]
        refusal = self._pool.put([Batch(self._address, secret, share) for share in shares if share])
        if refusal is not None:
            raise self._error(refusal)

    def _error(self, refusal: Refusal) -> TilefleetError:
        kind = kind_of_answer(refusal.status, refusal.reason) if refusal.status else StorageUnavailable
        came_back = f"{refusal.status} {refusal.reason}" if refusal.status else refusal.reason
        return kind(f"sending to queue {self.name}: {came_back}")

    def ensure(self) -> None:
        self._sdk.ensure()

    def send(self, body: str, *, hidden_seconds: int = 0) -> None:
        self._sdk.send(body, hidden_seconds=hidden_seconds)

    def receive(self, count: int, lease_seconds: int) -> list[Received]:
        return self._sdk.receive(count, lease_seconds)

    def renew(self, held: Received, lease_seconds: int, *, body: str | None = None) -> Received:
        return self._sdk.renew(held, lease_seconds, body=body)

    def complete(self, held: Received) -> None:
        self._sdk.complete(held)

    def clear(self) -> None:
        self._sdk.clear()

    def depth(self) -> int:
        return self._sdk.depth()
