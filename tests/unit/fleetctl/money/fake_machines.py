"""Machines and trials in virtual time that keep the ports' promises, and count what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fleetctl.cloud.machines import NewVm, RateLeft, Refusal, Refused
from fleetctl.controller.policy import Offer, Priority
from fleetctl.controller.snapshot import BILLED, Power, Quota, VmSeen
from fleetctl.money.calibrate import Calibration, Pair

FLEET = "uk-cal"


class Killed(BaseException):
    """The process is gone: not even `finally` has run, as far as the cloud can tell."""


@dataclass
class FakeCloud:
    """Implements `Machines` and `Trials`; a tile takes 300 s with its download and 200 s without."""

    now: float = 1000.0
    usd_per_hour: float = 0.6
    vms: dict[str, VmSeen] = field(default_factory=dict)
    born: dict[str, float] = field(default_factory=dict)
    paid_usd: float = 0.0
    refusals: dict[str, Refused] = field(default_factory=dict)
    """By call."""
    asked: dict[str, dict[int, float]] = field(default_factory=dict)
    """When each generation was asked, by machine."""
    cleared: list[str] = field(default_factory=list)
    at_wait: Callable[[int], None] = lambda _number: None
    waits: int = 0
    boot_seconds: float = 240.0

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.now += seconds
        billed = sum(vm.power in BILLED for vm in self.vms.values())
        self.paid_usd += billed * seconds * self.usd_per_hour / 3600
        self.vms = {name: vm for name, vm in self.vms.items() if vm.power is not Power.DELETING}
        self.at_wait(self.waits)

    def set_power(self, name: str, power: Power) -> None:
        vm = self.vms[name]
        self.vms[name] = VmSeen(vm.name, vm.pool, vm.offer, power)

    def list_states(self):
        self._refuse("list")
        return iter(list(self.vms.values()))

    def create(self, vm: NewVm) -> None:
        self._refuse("create")
        self.vms.setdefault(vm.name, VmSeen(vm.name, "pair", vm.offer, Power.RUNNING))
        self.born.setdefault(vm.name, self.now)

    def delete(self, name: str) -> None:
        self._refuse("delete")
        if name in self.vms:
            self.set_power(name, Power.DELETING)

    def leaks(self):
        return iter(())

    def delete_resource(self, resource_id: str) -> None: ...
    def start(self, name: str) -> None: ...
    def deallocate(self, name: str) -> None: ...
    def simulate_eviction(self, name: str) -> None: ...
    def quota(self, region: str, priority: Priority) -> Quota:
        return Quota(350, 0)

    @property
    def rate_left(self) -> RateLeft:
        return RateLeft()

    def ask(self, pair: Pair) -> None:
        self.asked[pair.vm] = {1: self.now}

    def ask_again(self, pair: Pair) -> None:
        self.asked[pair.vm][2] = self.now

    def has_reported(self, pair: Pair) -> bool:
        return self.now - self.born.get(pair.vm, self.now) >= self.boot_seconds

    def seconds(self, pair: Pair, generation: int) -> float | None:
        takes = {1: 300.0, 2: 200.0}[generation]
        begun = max(self.asked[pair.vm][generation], self.born[pair.vm] + self.boot_seconds)
        return takes if self.now - begun >= takes else None

    def clear(self, pair: Pair) -> None:
        self.cleared.append(pair.vm)

    def _refuse(self, call: str) -> None:
        if call in self.refusals:
            raise self.refusals[call]


def pairs(count: int = 2, usd_per_hour: float = 0.6) -> list[Pair]:
    offers = [Offer(f"region{number}", "Standard_D16s_v6", Priority.SPOT) for number in range(count)]
    return [Pair(FLEET, number, offer, usd_per_hour) for number, offer in enumerate(offers, 1)]


def calibration(cloud: FakeCloud, most_usd: float = 3.0) -> tuple[Calibration, list[str]]:
    said: list[str] = []

    def new_vm(pair: Pair) -> NewVm:
        return NewVm(pair.vm, pair.offer, "image", "subnet", "", "", 64, "")

    return Calibration(cloud, cloud, new_vm, most_usd, lambda: cloud.now, cloud.wait, said.append), said


def sold_out() -> Refused:
    return Refused(Refusal.NO_CAPACITY, "SkuNotAvailable", "sold out")
