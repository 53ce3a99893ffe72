"""Virtual time, and the processes and tasks that live in it: one heap of wake-ups, one task running at a time.

A task is a greenlet, so the programs' own code runs in it unchanged and can be interrupted wherever it waits:
at every storage request, every lock, every pause. With one seed everything happens in the same order again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

from greenlet import getcurrent, greenlet


class Died(BaseException):
    """This process ended here: no effect of it follows. Unwinds a task past every handler of errors."""


@dataclass(eq=False, slots=True)
class Machine:
    """What a process stands on, as far as its code notices."""

    vm: str = ""
    boot_id: str = ""
    clock_ahead_seconds: float = 0.0
    """How far its wall clock is off; its monotonic clock never is."""
    is_sick: bool = False
    """Its GPU fails every tile."""
    has_full_disk: bool = False


@dataclass(eq=False, slots=True)
class Process:
    """What ends and freezes as a whole."""

    name: str
    machine: Machine = field(default_factory=Machine)
    frozen_until: float = 0.0
    has_ended: bool = False
    on_end: Callable[[], None] | None = None
    tasks: dict[Task, None] = field(default_factory=dict)
    """In the order in which they began."""


@dataclass(eq=False, slots=True)
class Task:
    """One thread of a process."""

    process: Process
    body: Callable[[], None]
    label: str = ""
    """What it works on, for whoever looks at the current task."""
    ticket: int = 0
    """Raised at each resumption: wake-ups for an earlier wait are void."""
    is_done: bool = False
    thread: greenlet = field(init=False)


class Kernel:
    """Runs tasks in the order of their wake-ups."""

    def __init__(self, now: float) -> None:
        """`now`: epoch seconds at which the virtual world begins."""
        self.now = now
        self.current: Task | None = None
        self.host = Process("the world itself")
        """Never ends: the cloud, the operator, the controller."""
        self._hub = getcurrent()
        self._order = count()
        self._wakeups: list[tuple[float, int, Task, int]] = []
        self._to_unwind: list[Process] = []

    @property
    def process(self) -> Process:
        """Whose code runs at this moment."""
        return self.current.process if self.current is not None else self.host

    def spawn(self, process: Process, body: Callable[[], None]) -> Task:
        """Begin a task now; it runs when this one waits."""
        task = Task(process, body, label=self.current.label if self.current is not None else "")
        task.thread = greenlet(lambda: self._run_body(task), parent=self._hub)
        process.tasks[task] = None
        self.wake(task)
        return task

    def sleep(self, seconds: float) -> None:
        """Let others run for that long. Outside any task nothing passes."""
        if self.current is not None:
            self.wait(seconds)

    def wait(self, timeout_seconds: float | None = None) -> None:
        """Until `wake` or the timeout."""
        task = self.current
        if task is None:
            raise AssertionError("only a task can wait: nothing else runs meanwhile")
        if task.process.has_ended:
            raise Died
        if timeout_seconds is not None:
            self._wake_at(self.now + max(0.0, timeout_seconds), task)
        self._hub.switch()
        if task.process.has_ended:
            raise Died

    def wake(self, task: Task) -> None:
        """End the task's wait, once it is its turn."""
        self._wake_at(self.now, task)

    def end(self, process: Process) -> None:
        """The process is gone, as after SIGKILL. Where it is the caller's own, raise Died next."""
        if process.has_ended:
            return
        process.has_ended = True
        self._to_unwind.append(process)
        if process.on_end is not None:
            process.on_end()

    def run(self) -> None:
        """Until no task is left that anything would wake."""
        while self._wakeups or self._to_unwind:
            if self._to_unwind:
                self._unwind(self._to_unwind.pop())
                continue
            at, _, task, ticket = heappop(self._wakeups)
            if ticket != task.ticket or task.is_done:
                continue
            if task.process.frozen_until > at:
                heappush(self._wakeups, (task.process.frozen_until, next(self._order), task, ticket))
                continue
            self.now = max(self.now, at)
            self._resume(task, task.thread.switch)

    def _wake_at(self, at: float, task: Task) -> None:
        heappush(self._wakeups, (at, next(self._order), task, task.ticket))

    def _resume(self, task: Task, enter: Callable[..., Any], *arguments: Any) -> None:
        task.ticket += 1
        self.current = task
        try:
            enter(*arguments)
        finally:
            self.current = None

    def _unwind(self, process: Process) -> None:
        """Let every task of an ended process leave its blocks, so that none waits in memory for ever."""
        for task in list(process.tasks):
            if not task.is_done:
                self._resume(task, task.thread.throw, Died)
                task.is_done = True
        process.tasks.clear()

    def _run_body(self, task: Task) -> None:
        try:
            if not task.process.has_ended:
                task.body()
        except Died:
            pass
        finally:
            task.is_done = True
            task.process.tasks.pop(task, None)
