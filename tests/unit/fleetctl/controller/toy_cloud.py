"""A cloud of a few lines, in virtual time: enough to let `decide` run against itself, tick by tick."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from contract.heartbeat import WorkerState
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.learn import learn
from fleetctl.controller.machine import pool_of
from fleetctl.controller.memory import Memory
from fleetctl.controller.policy import Limits, Offer, Policy, Pool, Priority
from fleetctl.controller.snapshot import Power, QueuesSeen, Quota, Snapshot, VmSeen, WorkerSeen

OFFER = Offer("westeurope", "Standard_NV36ads_A10_v5", Priority.SPOT)


def policy(*, most: int = 100, least: int = 0, slots: int = 1, **changes: object) -> Policy:
    pool = Pool("a10", OFFER, vcpus=36, slots=slots, min_vms=least, max_vms=most)
    return replace(Policy("uk", (pool,), Limits(vms=most)), **changes)


@dataclass
class Vm:
    power: Power
    offer: Offer
    until: float = 0.0
    then: Power | None = None
    held: int = 0
    boot: int = 0
    state: WorkerState = WorkerState.WORKING
    started: float = 0.0
    silent_since: float | None = None
    error_code: str = ""


@dataclass
class ToyCloud:
    """Machines that take their time, and queues that a test sets."""

    policy: Policy
    now: float = 1_000_000.0
    vms: dict[str, Vm] = field(default_factory=dict)
    waiting: int = 0
    quota: int = 100_000
    has_capacity: bool = True
    start_seconds: float = 40.0
    boot_seconds: float = 60.0
    memory: Memory = field(default_factory=Memory)
    calls: list[tuple[float, Action, str]] = field(default_factory=list)
    usd_per_hour: float = 0.6

    def tick(self, seconds: float = 15.0) -> list[Action]:
        self.now += seconds
        for vm in self.vms.values():
            if vm.then is not None and self.now >= vm.until:
                vm.power, vm.then = vm.then, None
        self.vms = {name: vm for name, vm in self.vms.items() if vm.power is not Power.DELETING}
        self._work()
        decision = decide(self.snapshot(), self.memory, self.policy)
        self.memory = decision.memory
        for action in decision.actions:
            self._call(action)
        return list(decision.actions)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.tick()

    def up(self) -> int:
        return sum(vm.power is Power.RUNNING for vm in self.vms.values())

    def evict(self, names: list[str]) -> None:
        for name in names:
            vm = self.vms[name]
            self.waiting += vm.held
            vm.power, vm.then, vm.silent_since = Power.DEALLOCATED, None, self.now

    def snapshot(self) -> Snapshot:
        held = sum(vm.held for vm in self.vms.values() if vm.power is Power.RUNNING)
        return Snapshot(
            now=self.now,
            vms={
                n: VmSeen(
                    n,
                    pool_of(n, "uk"),
                    vm.offer,
                    vm.power,
                    "failed" if vm.error_code else "succeeded",
                    vm.error_code,
                )
                for n, vm in self.vms.items()
            },
            workers=tuple(self._worker(name, vm) for name, vm in self.vms.items() if vm.started),
            queues=QueuesSeen(self.waiting + held, 0, 0, 0),
            jobs=(),
            spot_quota={"westeurope": Quota(self.quota, 36 * len(self.vms))},
            usd_per_hour={pool.offer: self.usd_per_hour for pool in self.policy.pools},
        )

    def _worker(self, name: str, vm: Vm) -> WorkerSeen:
        age = self.now - vm.silent_since if vm.silent_since is not None else 5.0
        state = vm.state if vm.held or vm.state is not WorkerState.WORKING else WorkerState.IDLE
        return WorkerSeen(f"{name}-s0", name, f"boot{vm.boot}", state, vm.held, age, vm.started)

    def _work(self) -> None:
        """Machines that have booted take a tile each; those that drain give up theirs as done."""
        for vm in self.vms.values():
            if vm.power is not Power.RUNNING:
                continue
            if not vm.started and self.now - vm.until >= self.boot_seconds:
                vm.started, vm.silent_since, vm.state = self.now, None, WorkerState.WORKING
                vm.boot += 1
            if vm.state is WorkerState.LEAVING:
                vm.held = 0
            elif vm.started and not vm.held and self.waiting:
                vm.held, self.waiting = 1, self.waiting - 1

    def _call(self, action: Action) -> None:
        offer = self.policy.pools[0].offer
        try:
            self._do(action)
        except Refused as refused:
            self.calls.append((self.now, action, refused.kind.value))
            self.memory = learn(self.memory, action, offer, refused, self.now)
        else:
            self.calls.append((self.now, action, ""))

    def _do(self, action: Action) -> None:
        name = action.target
        if action.verb in (Verb.CREATE, Verb.START):
            if not self.has_capacity:
                raise Refused(Refusal.NO_CAPACITY, "SkuNotAvailable", "sold out")
            boot = self.vms[name].boot if name in self.vms else 0
            until = self.now + self.start_seconds
            self.vms[name] = Vm(Power.STARTING, OFFER, until, Power.RUNNING, boot=boot)
        elif action.verb is Verb.DELETE:
            self.vms[name].power, self.vms[name].until = Power.DELETING, self.now
        elif action.verb is Verb.DEALLOCATE:
            vm = self.vms[name]
            vm.power, vm.then, vm.until = Power.DEALLOCATING, Power.DEALLOCATED, self.now + 20
        elif action.verb is Verb.DRAIN:
            self.vms[name].state = WorkerState.LEAVING
