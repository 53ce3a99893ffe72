"""Changes as time passes. Not for several threads: whoever owns it holds the lock."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from laptop_cloud.resource_manager import attachments, meter
from laptop_cloud.resource_manager.changes import Change
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.records import (
    FAILED,
    SUCCEEDED,
    Kind,
    Machine,
    Operation,
    PowerState,
    Status,
    World,
)

FORGET_OPERATIONS_SECONDS = 3600.0
DEEDS_AT_A_TIME = 8


class Movement:
    """What is under way, and the record of it."""

    def __init__(self, world: World, clock: CloudClock) -> None:
        self._world = world
        self._clock = clock
        self._changes: dict[str, Change] = {}
        self._deeds = ThreadPoolExecutor(DEEDS_AT_A_TIME, thread_name_prefix="machine-deeds")

    def is_moving(self, name: str) -> bool:
        """Whether another change must wait."""
        return name.lower() in self._changes

    def begin(self, machine: Machine, change: Change, provisioning: str, *, operation: str = "") -> Operation:
        """It moves from now on. `operation`: the one that is taken up again; empty: a new one."""
        known = self._world.operations.get(operation) or self._record(machine, change.verb)
        change.operation, change.before = known.id, machine.power
        machine.provisioning, machine.since = provisioning, self._clock.now()
        self._changes[machine.name.lower()] = change
        self._advance(machine, change, self._clock.now())
        return known

    def nothing_to_do(self, machine: Machine, verb: str) -> Operation:
        """An operation that has succeeded already."""
        operation = self._record(machine, verb)
        operation.ended, operation.status = operation.began, Status.SUCCEEDED
        return operation

    def pass_time(self) -> None:
        """Do what was due by now."""
        now = self._world.now = self._clock.now()
        for key, change in list(self._changes.items()):
            self._advance(self._world.machines[key], change, now)

    def close(self) -> None:
        """Let what is being done come to its end."""
        self._deeds.shutdown(wait=True, cancel_futures=True)

    def _advance(self, machine: Machine, change: Change, now: float) -> None:
        while change.steps and change.steps[0][0] <= now:
            at, power = change.steps.pop(0)
            self._set_power(machine, power, at)
        if change.is_deed_due(now):
            change.doing = self._do(machine, change.deed)
        if change.is_over(now):
            del self._changes[machine.name.lower()]
            # Hollow machines arrive when they should, however long nobody looked; processes when they do.
            self._finish(machine, change, now if machine.kind is Kind.REAL else change.ends)

    def _finish(self, machine: Machine, change: Change, at: float) -> None:
        failure = change.outcome()
        operation = self._world.operations[change.operation]
        operation.ended = machine.since = at
        machine.failure_code = operation.failure_code = failure.code if failure else ""
        machine.failure_text = operation.failure_text = failure.text if failure else ""
        operation.status = Status.FAILED if failure else Status.SUCCEEDED
        machine.provisioning = FAILED if failure else SUCCEEDED
        self._set_power(machine, change.before if failure else change.arrives or PowerState.NONE, at)
        if change.arrives is None and not failure:
            meter.remember(self._world, machine)
            attachments.release(self._world, machine)
            del self._world.machines[machine.name.lower()]

    def _set_power(self, machine: Machine, power: PowerState, at: float) -> None:
        meter.count(machine, at)
        self._world.edits += 1
        had_hardware, machine.power = machine.is_billed, power
        machine.switches += machine.is_billed is not had_hardware

    def _record(self, machine: Machine, verb: str) -> Operation:
        self._world.edits += 1
        now = self._clock.now()
        operations = self._world.operations
        # Oldest first, as they were put in.
        while operations and _is_forgotten(next(iter(operations.values())), now):
            del operations[next(iter(operations))]
        operation = Operation(str(uuid.uuid4()), machine.name, machine.location, verb, now)
        operations[operation.id] = operation
        return operation

    def _do(self, machine: Machine, deed: Callable[[], None]) -> Future[None]:
        """Hollow deeds take no time, so they need no thread."""
        if machine.kind is Kind.REAL:
            return self._deeds.submit(deed)
        done: Future[None] = Future()
        try:
            deed()
        except Exception as error:  # noqa: BLE001 - it fails the operation, whatever it is
            done.set_exception(error)
        else:
            done.set_result(None)
        return done


def _is_forgotten(operation: Operation, now: float) -> bool:
    return operation.ended is not None and now - operation.ended > FORGET_OPERATIONS_SECONDS
