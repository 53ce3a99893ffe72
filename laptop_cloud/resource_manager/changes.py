"""A machine on its way from one state to another: which states it passes, when, and what is done meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from laptop_cloud.resource_manager.backend import Backend
from laptop_cloud.resource_manager.problems import Failure
from laptop_cloud.resource_manager.records import Machine, PowerState


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the cloud takes, in its own seconds."""

    create_seconds: float = 12.0
    """Before a new machine starts."""
    start_seconds: float = 25.0
    stop_seconds: float = 10.0
    deallocate_seconds: float = 20.0
    delete_seconds: float = 15.0


@dataclass(slots=True)
class Change:
    """One machine's, under way."""

    verb: str
    steps: list[tuple[float, PowerState]]
    """Power states still to come, each with its time."""
    ends: float
    """Earliest end."""
    arrives: PowerState | None
    """None: the machine is gone then."""
    deed: Callable[[], None]
    """What the backend does for it."""
    is_deed_first: bool = False
    """At the start of the change; else when its time is over."""
    failure: Failure | None = None
    """It will fail so instead of arriving."""
    operation: str = ""
    """Id; set when it begins."""
    before: PowerState = PowerState.NONE
    """Where a failure leads back to; set when it begins."""
    doing: Future[None] | None = None

    def is_deed_due(self, now: float) -> bool:
        """Once."""
        return self.doing is None and self.failure is None and (self.is_deed_first or now >= self.ends)

    def is_over(self, now: float) -> bool:
        """Its time has passed, and what had to be done is done."""
        if now < self.ends:
            return False
        return self.failure is not None or (self.doing is not None and self.doing.done())

    def outcome(self) -> Failure | None:
        """Why it failed; None when it did not."""
        if self.failure is None and self.doing is not None and (error := self.doing.exception()):
            return Failure("InternalExecutionError", f"An internal execution error occurred: {error}")
        return self.failure


@dataclass(frozen=True, slots=True)
class Ways:
    """The changes that there are, from this moment on."""

    backend: Backend
    delays: Delays
    now: float

    def create(self, machine: Machine, failure: Failure | None = None) -> Change:
        """A failure is found while the machine is placed, before it starts."""
        starts = self.now + self.delays.create_seconds
        change = self.start(machine, failure)
        change.verb, change.steps = "create", [] if failure else [(starts, PowerState.STARTING)]
        change.ends = starts if failure else starts + self.delays.start_seconds
        return change

    def start(self, machine: Machine, failure: Failure | None = None) -> Change:
        ends = self.now + self.delays.start_seconds
        steps = [(self.now, PowerState.STARTING)]
        deed = lambda: self.backend.start(machine)  # noqa: E731 - it needs no name
        return Change("start", steps, ends, PowerState.RUNNING, deed, failure=failure)

    def restart(self, machine: Machine) -> Change:
        def off_and_on() -> None:
            self.backend.shut_down(machine)
            self.backend.start(machine)

        change = self.start(machine)
        change.verb, change.deed = "restart", off_and_on
        return change

    def resume(self, machine: Machine) -> Change:
        """After the cloud itself stood still: what runs has to be started behind the scenes."""
        change = self.start(machine)
        change.verb, change.steps, change.ends = "resume", [], self.now
        return change

    def power_off(self, machine: Machine) -> Change:
        ends = self.now + self.delays.stop_seconds
        deed = lambda: self.backend.shut_down(machine)  # noqa: E731
        steps = [(self.now, PowerState.STOPPING)]
        return Change("powerOff", steps, ends, PowerState.STOPPED, deed, is_deed_first=True)

    def deallocate(self, machine: Machine, *, is_told: bool = True, verb: str = "deallocate") -> Change:
        """`is_told`: the machine's workers leave in order first."""

        def deed() -> None:
            if is_told:
                self.backend.shut_down(machine)
            self.backend.cut(machine)

        ends = self.now + self.delays.deallocate_seconds
        steps = [(self.now, PowerState.DEALLOCATING)]
        return Change(verb, steps, ends, PowerState.DEALLOCATED, deed, is_deed_first=True)

    def delete(self, machine: Machine, *, is_told: bool = True) -> Change:
        def deed() -> None:
            if is_told:
                self.backend.shut_down(machine)
            self.backend.remove(machine)

        # Its hardware goes at once when nobody is told; else it is paid for until it is gone.
        steps = [] if is_told else [(self.now, PowerState.DEALLOCATING)]
        return Change("delete", steps, self.now + self.delays.delete_seconds, None, deed, is_deed_first=True)

    def again(self, machine: Machine, verb: str) -> Change:
        """What was under way when the cloud ended, from its beginning."""
        match verb:
            case "delete":
                return self.delete(machine)
            case "powerOff":
                return self.power_off(machine)
            case "deallocate" | "evict":
                return self.deallocate(machine, verb=verb)
            case _:
                return self.start(machine)
