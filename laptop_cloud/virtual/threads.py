"""Stand-ins for `threading`, `time`, `uuid` and their like, for one kernel: code that waits, waits in virtual time."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self

from laptop_cloud.virtual.kernel import Kernel, Task


class VirtualLock:
    """threading.Lock and, for tasks that do not wait while they hold it, RLock."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._holder: object = None
        self._waiting: deque[Task] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001 - as threading has it
        if self._holder is not None and not blocking:
            return False
        deadline = None if timeout < 0 else self._kernel.now + timeout
        while self._holder is not None:
            if deadline is not None and self._kernel.now >= deadline:
                return False
            if self._kernel.current is not None:
                self._waiting.append(self._kernel.current)
            self._kernel.wait(None if deadline is None else deadline - self._kernel.now)
        self._holder = self._kernel.current or self
        return True

    def release(self) -> None:
        self._holder = None
        while self._waiting:
            task = self._waiting.popleft()
            if not task.is_done and not task.process.has_ended:
                self._kernel.wake(task)
                return

    def locked(self) -> bool:
        return self._holder is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class VirtualEvent:
    """threading.Event."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._is_set = False
        self._waiting: list[Task] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            self._kernel.wake(task)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set and self._kernel.current is not None:
            self._waiting.append(self._kernel.current)
            self._kernel.wait(timeout)
            if self._kernel.current in self._waiting:
                self._waiting.remove(self._kernel.current)
        return self._is_set


class VirtualCondition(VirtualLock):
    """threading.Condition with a lock of its own."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self._changed = VirtualEvent(kernel)

    def wait(self, timeout: float | None = None) -> bool:
        changed = self._changed
        self.release()
        try:
            return changed.wait(timeout)
        finally:
            self.acquire()

    def notify_all(self) -> None:
        changed, self._changed = self._changed, VirtualEvent(self._kernel)
        changed.set()

    notify = notify_all  # a wake-up too many is allowed


class VirtualThreading:
    """The module `threading`, as far as the worker's parts use it; more is an AttributeError on purpose."""

    def __init__(self, kernel: Kernel) -> None:
        self.Lock = self.RLock = partial(VirtualLock, kernel)
        self.Event = partial(VirtualEvent, kernel)
        self.Condition = partial(VirtualCondition, kernel)
        self.Thread = partial(VirtualThread, kernel=kernel)


class VirtualTime:
    """The module `time`: one monotonic clock for all, a wall clock per process."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.sleep = kernel.sleep

    def monotonic(self) -> float:
        return self._kernel.now

    perf_counter = monotonic

    def time(self) -> float:
        return self._kernel.now + self._kernel.process.machine.clock_ahead_seconds

    def time_ns(self) -> int:
        return int(self.time() * 1e9)


class VirtualUuid:
    """The module `uuid`, from a seed."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(int=self._chance.getrandbits(128), version=4)


def virtual_datetime(time: VirtualTime) -> type[datetime]:
    """The class `datetime` whose `now` is virtual."""

    class VirtualDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(time.time(), tz or UTC)

    return VirtualDatetime


class VirtualThread:
    """threading.Thread: a task of the process that makes it."""

    def __init__(
        self, *, target: Callable[..., None], args: tuple[Any, ...] = (), kernel: Kernel, **_names: Any
    ) -> None:
        self._kernel = kernel
        self._body = partial(target, *args)

    def start(self) -> None:
        self._kernel.spawn(self._kernel.process, self._body)


class VirtualFuture:
    """concurrent.futures.Future: the answer of one call that another task makes."""

    def __init__(self, kernel: Kernel, call: Callable[[], Any]) -> None:
        self._call: Callable[[], Any] | None = call
        self._kernel = kernel
        self._label = kernel.current.label if kernel.current is not None else ""
        self._has_ended = VirtualEvent(kernel)
        self._answer: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """In the task that makes the call."""
        call, self._call = self._call, None
        if call is None:
            return
        if self._kernel.current is not None:
            self._kernel.current.label = self._label  # a lane works for one after the other
        try:
            self._answer = call()
        except Exception as error:  # noqa: BLE001 - raised again where the answer is wanted
            self._error = error
        self._has_ended.set()

    def cancel(self) -> bool:
        is_waiting, self._call = self._call is not None, None
        return is_waiting

    def result(self, timeout: float | None = None) -> Any:
        if not self._has_ended.wait(timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._answer


class VirtualPool:
    """ThreadPoolExecutor: calls by tasks of the calling process, so many at a time."""

    def __init__(self, kernel: Kernel, max_workers: int = 8, **_names: Any) -> None:
        self._kernel = kernel
        self._idle_lanes = max_workers
        self._waiting: deque[VirtualFuture] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Whoever uses it as a context has taken every answer by then."""

    def submit(self, call: Callable[..., Any], *arguments: Any) -> VirtualFuture:
        future = VirtualFuture(self._kernel, partial(call, *arguments))
        self._waiting.append(future)
        if self._idle_lanes:
            self._idle_lanes -= 1
            self._kernel.spawn(self._kernel.process, self._lane)
        return future

    def map(self, call: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return iter([future.result() for future in [self.submit(call, item) for item in items]])

    def _lane(self) -> None:
        while self._waiting:
            self._waiting.popleft().run()
        self._idle_lanes += 1
