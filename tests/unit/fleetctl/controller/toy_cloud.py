"""A cloud of a few lines, in virtual time: enough to let `decide` run against itself, tick by tick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from contract.heartbeat import WorkerState
from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.learn import STARTS, learn
from fleetctl.controller.machine import pool_of
from fleetctl.controller.memory import Memory
from fleetctl.controller.memory_codec import decode_memory, encode_memory
from fleetctl.controller.policy import Limits, Offer, Policy, Pool, Priority
from fleetctl.controller.snapshot import Attempts, Power, QueuesSeen, Quota, Snapshot, VmSeen, WorkerSeen

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
    drains_at: float | None = None
    sick_boots: int = 0
    """Its worker finds itself unfit in the first so many."""
    boot_fails: bool = False
    """Its system never comes up."""


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
    drain_seconds: float = 0.0
    """Until workers obey a drain: they ask for one with every third heartbeat."""
    boot_seconds: float = 60.0
    memory: Memory = field(default_factory=Memory)
    calls: list[tuple[float, Action, str]] = field(default_factory=list)
    usd_per_hour: float = 0.6
    closed: set[Offer] = field(default_factory=set)
    """Sold out."""
    most_up: int | None = None
    """There is room for so many."""
    used_by_others: int = 0
    """VCPUs."""
    enforces_quota: bool = False
    sees_quota: int | None = None
    """What the account says instead of the truth."""
    attempts: Attempts = field(default_factory=lambda: Attempts(0, 0))
    is_blind: bool = False
    """Heartbeats cannot be read."""
    dies_after: int | None = None
    """The controller is killed before so many calls more."""

    def tick(self, seconds: float = 15.0) -> list[Action]:
        self.now += seconds
        for vm in self.vms.values():
            if vm.then is not None and self.now >= vm.until:
                vm.power, vm.then = vm.then, None
        self.vms = {name: vm for name, vm in self.vms.items() if vm.power is not Power.DELETING}
        self._work()
        decision = decide(self.snapshot(), self.memory, self.policy)
        self.memory = decision.memory
        self._carry_out(decision.actions)
        return list(decision.actions)

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if self.dies_after == 0:
                self.dies_after = None
                self.memory = decode_memory(encode_memory(self.memory))
                break  # killed: what was written before the calls is all that its successor knows
            if self.dies_after is not None:
                self.dies_after -= 1
            self._call(action)

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
            workers=None
            if self.is_blind
            else tuple(self._worker(name, vm) for name, vm in self.vms.items() if vm.started),
            queues=QueuesSeen(self.waiting + held, 0, 0, 0),
            jobs=(),
            spot_quota={"westeurope": Quota(self.sees_quota or self.quota, self.used_vcpus())},
            attempts=self.attempts,
            usd_per_hour={pool.offer: self.usd_per_hour for pool in self.policy.pools},
        )

    def used_vcpus(self) -> int:
        """Running or deallocated, and what others use."""
        return self.used_by_others + sum(self._pool(name).vcpus for name in self.vms)

    def of(self, verb: Verb) -> list[Action]:
        """The calls of that kind so far."""
        return [action for _, action, _ in self.calls if action.verb is verb]

    def refusals(self) -> int:
        return sum(bool(refused) for _, action, refused in self.calls if action.verb in STARTS)

    def _pool(self, name: str) -> Pool:
        pool = self.policy.pool(pool_of(name, "uk"))
        assert pool is not None
        return pool

    def _worker(self, name: str, vm: Vm) -> WorkerSeen:
        age = self.now - vm.silent_since if vm.silent_since is not None else 5.0
        state = vm.state if vm.held or vm.state is not WorkerState.WORKING else WorkerState.IDLE
        return WorkerSeen(f"{name}-s0", name, f"boot{vm.boot}", state, vm.held, age, vm.started)

    def _work(self) -> None:
        """Machines that have booted take a tile each; those that drain give up theirs as done."""
        for vm in self.vms.values():
            if vm.power is not Power.RUNNING:
                continue
            if not vm.started and not vm.boot_fails and self.now - vm.until >= self.boot_seconds:
                vm.started, vm.silent_since = self.now, None
                vm.state = WorkerState.UNFIT if vm.sick_boots > vm.boot else WorkerState.WORKING
                vm.boot += 1
            if vm.drains_at is not None and self.now >= vm.drains_at:
                vm.state, vm.drains_at = WorkerState.LEAVING, None
            if vm.state is WorkerState.LEAVING:
                vm.held = 0
            elif vm.state is WorkerState.UNFIT or vm.boot_fails:
                continue
            elif vm.started and not vm.held and self.waiting:
                vm.held, self.waiting = 1, self.waiting - 1

    def _call(self, action: Action) -> None:
        pool = self.policy.pool(pool_of(action.target, "uk"))
        offer = pool.offer if pool else None
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
            self._start(name, is_new=action.verb is Verb.CREATE)
        elif action.verb is Verb.DELETE:
            if name in self.vms:
                self.vms[name].power, self.vms[name].until = Power.DELETING, self.now
        elif action.verb is Verb.DEALLOCATE:
            vm = self.vms[name]
            vm.power, vm.then, vm.until = Power.DEALLOCATING, Power.DEALLOCATED, self.now + 20
            vm.silent_since = vm.silent_since or self.now
        elif action.verb is Verb.DRAIN:
            self.vms[name].drains_at = self.now + self.drain_seconds

    def _start(self, name: str, *, is_new: bool) -> None:
        """As the cloud does: one that runs stays as it is, one that is on its way is a conflict."""
        pool, before = self._pool(name), self.vms.get(name)
        if before is None and not is_new:
            raise Refused(Refusal.GONE, "ResourceNotFound", name)
        if before is not None and before.power is not Power.DEALLOCATED:
            raise Refused(Refusal.CONFLICT, "OperationNotAllowed", f"{name} is {before.power.value}")
        up = sum(vm.power in (Power.STARTING, Power.RUNNING) for vm in self.vms.values())
        if not self.has_capacity or pool.offer in self.closed or up == self.most_up:
            raise Refused(Refusal.NO_CAPACITY, "SkuNotAvailable", "sold out")
        if before is None and self.enforces_quota and self.used_vcpus() + pool.vcpus > self.quota:
            text = f"Current Limit: {self.quota}, Current Usage: {self.used_vcpus()}"
            raise Refused(Refusal.QUOTA, "OperationNotAllowed", text)
        old = before or Vm(Power.STARTING, pool.offer)
        self.vms[name] = Vm(
            Power.STARTING,
            pool.offer,
            self.now + self.start_seconds,
            Power.RUNNING,
            boot=old.boot,
            sick_boots=old.sick_boots,
            boot_fails=old.boot_fails,
        )
