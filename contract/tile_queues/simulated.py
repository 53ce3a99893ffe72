"""TileQueue in memory, under an injected clock: for tests and the simulated fleet, with the same promises."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count as counter
from threading import Lock

from contract.errors import LeaseLost, NotFound
from contract.queue_limits import check_batch, check_body, check_lease
from contract.simulated_faults import Fault, effect, no_fault
from contract.tile_queue import Received

Clock = Callable[[], float]
"""Epoch seconds."""


@dataclass(slots=True)
class _Message:
    body: str
    visible_at: float
    receipt: int
    delivery_count: int = 0


@dataclass(slots=True)
class _Queue:
    messages: dict[int, _Message] = field(default_factory=dict)
    by_visibility: list[tuple[float, int, int]] = field(default_factory=list)
    """A heap of (visible at, message, receipt); entries of an older receipt are dropped when they surface."""


class SimulatedQueues:
    """The queues of one simulated account."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._numbers = counter(1)
        self._lock = Lock()

    def queue(self, name: str, fault: Fault = no_fault) -> SimulatedTileQueue:
        """One client's view of a queue, with that client's own faults; `ensure` makes it exist."""
        return SimulatedTileQueue(self, name, fault)

    def make(self, name: str) -> None:
        with self._lock:
            self._queues.setdefault(name, _Queue())

    def put(self, name: str, body: str, hidden_seconds: int) -> None:
        with self._lock:
            number, receipt = next(self._numbers), next(self._numbers)
            message = _Message(body, self._clock() + hidden_seconds, receipt)
            queue = self._existing(name)
            queue.messages[number] = message
            heappush(queue.by_visibility, (message.visible_at, number, receipt))

    def take(self, name: str, count: int, lease_seconds: int) -> list[Received]:
        with self._lock:
            queue, now = self._existing(name), self._clock()
            taken: list[Received] = []
            while queue.by_visibility and len(taken) < count and queue.by_visibility[0][0] <= now:
                _, number, receipt = heappop(queue.by_visibility)
                message = queue.messages.get(number)
                if message is None or message.receipt != receipt:
                    continue
                message.delivery_count += 1
                self._hide(queue, number, lease_seconds)
                taken.append(
                    Received(str(number), message.body, str(message.receipt), message.delivery_count, name)
                )
            return taken

    def change(self, held: Received, lease_seconds: int, body: str | None) -> Received:
        with self._lock:
            queue, number = self._held(held)
            message = queue.messages[number]
            if body is not None:
                message.body = body
            self._hide(queue, number, lease_seconds)
            return replace(held, receipt=str(message.receipt), body=held.body if body is None else body)

    def remove(self, held: Received) -> None:
        with self._lock:
            queue, number = self._held(held)
            del queue.messages[number]

    def clear(self, name: str) -> None:
        with self._lock:
            self._existing(name).messages.clear()

    def depth(self, name: str) -> int:
        with self._lock:
            return len(self._existing(name).messages)

    def _existing(self, name: str) -> _Queue:
        if name not in self._queues:
            raise NotFound(f"queue {name}: 404 QueueNotFound")
        return self._queues[name]

    def _held(self, held: Received) -> tuple[_Queue, int]:
        queue, number = self._existing(held.queue_name), int(held.message_id)
        message = queue.messages.get(number)
        if message is None or str(message.receipt) != held.receipt:
            raise LeaseLost(f"a message of queue {held.queue_name}: somebody else has it, touch nothing")
        return queue, number

    def _hide(self, queue: _Queue, number: int, seconds: int) -> None:
        message = queue.messages[number]
        message.visible_at = self._clock() + seconds
        message.receipt = next(self._numbers)
        heappush(queue.by_visibility, (message.visible_at, number, message.receipt))


class SimulatedTileQueue:
    """One client's view of one simulated queue."""

    def __init__(self, queues: SimulatedQueues, name: str, fault: Fault) -> None:
        self._queues = queues
        self._name = name
        self._fault = fault

    @property
    def name(self) -> str:
        return self._name

    def ensure(self) -> None:
        with effect(self._fault, "ensure", self._name):
            self._queues.make(self._name)

    def send(self, body: str, *, hidden_seconds: int = 0) -> None:
        check_body(body)
        check_lease(hidden_seconds, minimum=0)
        with effect(self._fault, "send", self._name):
            self._queues.put(self._name, body, hidden_seconds)

    def send_many(self, bodies: Sequence[str]) -> None:
        for body in bodies:
            self.send(body)

    def receive(self, count: int, lease_seconds: int) -> list[Received]:
        check_batch(count)
        check_lease(lease_seconds, minimum=1)
        with effect(self._fault, "receive", self._name):
            return self._queues.take(self._name, count, lease_seconds)

    def renew(self, held: Received, lease_seconds: int, *, body: str | None = None) -> Received:
        check_lease(lease_seconds, minimum=0)
        if body is not None:
            check_body(body)
        with effect(self._fault, "renew", self._name):
            return self._queues.change(held, lease_seconds, body)

    def complete(self, held: Received) -> None:
        with effect(self._fault, "complete", self._name):
            self._queues.remove(held)

    def clear(self) -> None:
        with effect(self._fault, "clear", self._name):
            self._queues.clear(self._name)

    def depth(self) -> int:
        with effect(self._fault, "depth", self._name):
            return self._queues.depth(self._name)
