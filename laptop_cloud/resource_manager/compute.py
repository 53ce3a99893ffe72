"""The cloud's machines: what may be asked of them. Safe to use from several threads.

Every request finds the world as it is at that moment: what was due by then has been done.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from laptop_cloud.resource_manager import attachments, meter
from laptop_cloud.resource_manager.backend import Backend
from laptop_cloud.resource_manager.capacity import Capacity
from laptop_cloud.resource_manager.changes import Delays, Ways
from laptop_cloud.resource_manager.cloud_clock import CloudClock
from laptop_cloud.resource_manager.meter import Bill
from laptop_cloud.resource_manager.movement import Movement
from laptop_cloud.resource_manager.order import Order
from laptop_cloud.resource_manager.problems import Failure, busy, conflict, no_capacity, not_found
from laptop_cloud.resource_manager.quota import QuotaBook, Quotas
from laptop_cloud.resource_manager.records import (
    CREATING,
    DELETING,
    SUCCEEDED,
    UPDATING,
    Kind,
    Machine,
    Operation,
    PowerState,
    Status,
    World,
)
from laptop_cloud.resource_manager.sizes import SIZES

REAL_MACHINES = 8
MACHINE_TYPE = "Microsoft.Compute/virtualMachines"


@dataclass(frozen=True, slots=True)
class Plan:
    """How this cloud behaves."""

    delays: Delays = field(default_factory=Delays)
    quotas: Quotas = field(default_factory=Quotas)
    real_machines: int = REAL_MACHINES
    """The first so many are processes, all others are hollow."""


@dataclass(frozen=True, slots=True)
class Backends:
    """By what a machine is."""

    hollow: Backend
    real: Backend | None = None
    """None: all machines are hollow."""

    def of(self, machine: Machine) -> Backend:
        return self.real if machine.kind is Kind.REAL and self.real is not None else self.hollow


class Compute:
    """Machines and what is under way with them."""

    def __init__(self, world: World, clock: CloudClock, plan: Plan, backends: Backends) -> None:
        """`world` may be one that was saved: what ran in it runs again."""
        self.world = world
        self.clock = clock
        self.capacity = Capacity()
        self.quotas = QuotaBook(plan.quotas, world)
        self._plan = plan
        self._backends = backends
        self._movement = Movement(world, clock)
        self._lock = threading.RLock()
        self._is_closed = False
        clock.go_on_from(world.now)
        self._go_on()

    @contextmanager
    def at_this_moment(self) -> Iterator[World]:
        """The world, to look at while nothing moves."""
        with self._lock:
            self._movement.pass_time()
            yield self.world

    def machine(self, name: str, group: str) -> Machine:
        """Problem when there is none."""
        with self.at_this_moment() as world:
            machine = world.machines.get(name.lower())
            if machine is None:
                raise not_found(MACHINE_TYPE, name, group)
            return machine

    def put(self, order: Order) -> tuple[Machine, Operation, bool]:
        """Create it, or change the tags of the one that is there. Also: whether it is new."""
        with self.at_this_moment() as world:
            known = world.machines.get(order.name.lower())
            if known is not None:
                return known, self._retag(known, order), False
            failure = self._room_for(order.location, order.size, is_spot=order.is_spot)
            self.quotas.check(order.location, SIZES[order.size], is_spot=order.is_spot)
            machine = self._place(order)
            way = self._ways(machine).create(machine, failure)
            return machine, self._movement.begin(machine, way, CREATING), True

    def start(self, name: str, group: str) -> Operation:
        """Success at once for one that runs. What is stopped has its hardware still."""
        with self._lock:
            machine = self._idle(name, group)
            if machine.power is PowerState.RUNNING:
                return self._movement.nothing_to_do(machine, "start")
            failure = None
            if machine.power is not PowerState.STOPPED:
                failure = self._room_for(machine.location, machine.size, is_spot=machine.is_spot)
            way = self._ways(machine).start(machine, failure)
            return self._movement.begin(machine, way, UPDATING)

    def restart(self, name: str, group: str) -> Operation:
        """Problem for one that does not run."""
        with self._lock:
            machine = self._idle(name, group)
            if machine.power is not PowerState.RUNNING:
                raise conflict("OperationNotAllowed", f"Cannot restart VM '{name}': it is not running.")
            return self._movement.begin(machine, self._ways(machine).restart(machine), UPDATING)

    def power_off(self, name: str, group: str) -> Operation:
        """Off, and still paid for."""
        with self._lock:
            machine = self._idle(name, group)
            if machine.power is not PowerState.RUNNING:
                return self._movement.nothing_to_do(machine, "powerOff")
            return self._movement.begin(machine, self._ways(machine).power_off(machine), UPDATING)

    def deallocate(self, name: str, group: str, *, is_forced: bool = False) -> Operation:
        """Its hardware goes, disks and quota stay. `is_forced`: its workers are not told."""
        with self._lock:
            machine = self._idle(name, group)
            if machine.power is PowerState.DEALLOCATED:
                return self._movement.nothing_to_do(machine, "deallocate")
            way = self._ways(machine).deallocate(machine, is_told=not is_forced)
            return self._movement.begin(machine, way, UPDATING)

    def delete(self, name: str, group: str, *, is_forced: bool = False) -> Operation | None:
        """None when there is no such machine."""
        with self.at_this_moment() as world:
            if name.lower() not in world.machines:
                return None
            machine = self._idle(name, group)
            way = self._ways(machine).delete(machine, is_told=not is_forced)
            return self._movement.begin(machine, way, DELETING)

    def evict(self, name: str, group: str, notice_seconds: float | None) -> None:
        """Take a spot machine back: after a notice, or at once (None). Problem for any that is not at risk."""
        with self._lock:
            machine = self._idle(name, group)
            if not machine.is_spot or machine.power is not PowerState.RUNNING:
                why = "not running" if machine.is_spot else "not an Azure Spot virtual machine"
                raise conflict("OperationNotAllowed", f"VM '{name}' cannot be evicted: it is {why}.")
        if notice_seconds is None:
            self._take(machine)
        else:
            self._backends.of(machine).warn(machine, notice_seconds, lambda: self._take(machine))

    def at_risk(self) -> list[str]:
        """Names of spot machines that run and are not on their way elsewhere."""
        with self.at_this_moment() as world:
            return [
                machine.name
                for machine in world.machines.values()
                if machine.is_spot
                and machine.power is PowerState.RUNNING
                and not self._movement.is_moving(machine.name)
            ]

    def bill(self) -> Bill:
        """What all machines, those that are gone too, came to until now, in hours of this cloud's clients."""
        with self.at_this_moment() as world:
            return meter.bill(world, self.clock.speed)

    def close(self) -> None:
        """Let what is being done come to its end; nobody is evicted any more."""
        with self._lock:
            self._is_closed = True
        self._movement.close()

    def _take(self, machine: Machine) -> None:
        """The end of an eviction; nothing when the machine went another way meanwhile."""
        with self._lock:
            if self._is_closed:  # before the notice was over
                return
            self._movement.pass_time()
            is_there = self.world.machines.get(machine.name.lower()) is machine
            is_at_rest = machine.power is PowerState.RUNNING and not self._movement.is_moving(machine.name)
            if not is_there or not is_at_rest:
                return
            ways = self._ways(machine)
            if machine.is_deleted_when_evicted:
                self._movement.begin(machine, ways.delete(machine, is_told=False), DELETING)
            else:
                way = ways.deallocate(machine, is_told=False, verb="evict")
                self._movement.begin(machine, way, SUCCEEDED)

    def _place(self, order: Order) -> Machine:
        reals = sum(machine.kind is Kind.REAL for machine in self.world.machines.values())
        is_real = self._backends.real is not None and reals < self._plan.real_machines
        now = self.clock.now()
        machine = Machine(
            name=order.name,
            group=order.group,
            location=order.location,
            model=order.model,
            tags=order.tags,
            vm_id=str(uuid.uuid4()),
            created=now,
            metered_until=now,
            kind=Kind.REAL if is_real else Kind.HOLLOW,
            user_data=order.user_data if is_real else "",
        )
        attachments.make(self.world, machine, order.interfaces)
        self.world.machines[order.name.lower()] = machine
        return machine

    def _retag(self, machine: Machine, order: Order) -> Operation:
        fixed = (machine.location, machine.size, machine.is_spot)
        if (order.location, order.size, order.is_spot) != fixed:
            raise conflict(
                "PropertyChangeNotAllowed",
                f"Changing the location, size or priority of VM '{machine.name}' is not allowed.",
            )
        if self._movement.is_moving(machine.name):
            raise busy(machine.name)
        machine.tags = order.tags
        return self._movement.nothing_to_do(machine, "update")

    def _idle(self, name: str, group: str) -> Machine:
        machine = self.machine(name, group)
        if self._movement.is_moving(name):
            raise busy(machine.name)
        return machine

    def _room_for(self, location: str, size: str, *, is_spot: bool) -> Failure | None:
        """How an order will fail once it was accepted; Problem when it is refused at once."""
        short = self.capacity.shortage(location, size, is_spot=is_spot, now=self.clock.now())
        if short is None:
            return None
        failure = no_capacity(short.code, size, location)
        if short.is_told_later:
            return failure
        raise conflict(failure.code, failure.text)

    def _ways(self, machine: Machine) -> Ways:
        return Ways(self._backends.of(machine), self._plan.delays, self.clock.now())

    def _go_on(self) -> None:
        """With what was under way when the world was saved."""
        under_way = {
            known.machine.lower(): known
            for known in self.world.operations.values()
            if known.status is Status.IN_PROGRESS
        }
        for key, machine in list(self.world.machines.items()):
            machine.metered_until = self.clock.now()  # nobody paid for a cloud that did not run
            ways, operation = self._ways(machine), under_way.get(key)
            if operation is not None:
                way = ways.again(machine, operation.verb)
                self._movement.begin(machine, way, machine.provisioning, operation=operation.id)
            elif machine.power is PowerState.RUNNING:
                self._movement.begin(machine, ways.resume(machine), machine.provisioning)
