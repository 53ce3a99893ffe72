"""Threads, bounded queues, and the order in which they stop. Knows nothing about tiles.

Items run through named stages, each with its own threads and a bounded queue before it. A stage is a
plain function that changes the item; an error goes to `failed`, which sends the item on to the last
stage all the same, so that exactly one place ends every item. Errors include SystemExit and its like: code
that is plugged in and calls sys.exit for one item must not end the program for all of them. A thread that
dies all the same, of the pipeline's own code or of the last stage's, stops it: `fatal` says why.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
END = object()
"""Travels behind the last item and ends one thread."""


@dataclass(frozen=True, slots=True)
class StageSpec(Generic[Item]):
    """One stage: what it does, with how many threads, and how many items may wait before it."""

    name: str
    run: Callable[[Item], None]
    threads: int
    waiting: int
    always: bool = False
    """Also run it for items that failed before: the last stage, which ends them."""


class Pipeline(Generic[Item]):
    """Runs items through stages until it is closed."""

    def __init__(
        self,
        stages: Sequence[StageSpec[Item]],
        *,
        has_failed: Callable[[Item], bool],
        failed: Callable[[Item, BaseException], None],
    ) -> None:
        self.stages = list(stages)
        self.fatal: BaseException | None = None
        self.has_ended = threading.Event()
        self._has_failed = has_failed
        self._failed = failed
        self._queues: list[queue.Queue[Item | object]] = [queue.Queue(stage.waiting) for stage in self.stages]
        self._left = [stage.threads for stage in self.stages]
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for position, stage in enumerate(self.stages):
            for number in range(stage.threads):
                thread = threading.Thread(
                    target=self._work, args=(position,), name=f"{stage.name}-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def submit(self, item: Item) -> None:
        """Put an item before the first stage; waits while that queue is full."""
        self._queues[0].put(item)

    def close(self) -> None:
        """No more items will come: the threads end when they have finished those that are in.
        Waits until the first queue has room for one mark per thread."""
        for _ in range(self.stages[0].threads):
            self._queues[0].put(END)

    def join(self, timeout_seconds: float | None = None) -> bool:
        """True once every thread has ended; False when the time is over first."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, position: int) -> None:
        try:
            while (item := self._queues[position].get()) is not END:
                self._run_stage(self.stages[position], item)  # type: ignore[arg-type]
                if position + 1 < len(self.stages):
                    self._queues[position + 1].put(item)
        except BaseException as error:  # noqa: BLE001 - the thread dies of it; the owner is told and ends the process
            self.fatal = self.fatal or error
            self.has_ended.set()
            return
        self._pass_end(position)

    def _run_stage(self, stage: StageSpec[Item], item: Item) -> None:
        if self._has_failed(item) and not stage.always:
            return
        try:
            stage.run(item)
        except BaseException as error:  # whatever it is, it travels inside the item to the last stage
            if stage.always:
                raise  # which is this one: an item that nobody ends would be held for ever
            self._failed(item, error)

    def _pass_end(self, position: int) -> None:
        """The last thread of a stage ends the threads of the next one."""
        with self._lock:
            self._left[position] -= 1
            is_last = self._left[position] == 0
        if not is_last:
            return
        if position + 1 == len(self.stages):
            self.has_ended.set()
            return
        for _ in range(self.stages[position + 1].threads):
            self._queues[position + 1].put(END)
