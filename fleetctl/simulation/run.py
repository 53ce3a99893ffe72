"""One fleet's life in the modelled world: under our controller, or as operators kept theirs before there was one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fleetctl.cloud.machines import Refusal, Refused
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.learn import STARTS, learn
from fleetctl.controller.machine import pool_of
from fleetctl.controller.memory import Memory, Spend
from fleetctl.controller.pace import Buckets, paced
from fleetctl.controller.policy import Offer, Policy
from fleetctl.controller.snapshot import Power, QueuesSeen, Quota, Sent, Snapshot
from fleetctl.simulation.cloud import SECONDS_PER_HOUR, Meter, ModelCloud
from fleetctl.simulation.world import FLEET, JOB, VCPUS, Region, World, offer_of

BEGIN = 1_767_225_600.0
"""2026-01-01, UTC."""
PUT_OFF = Refused(Refusal.TROUBLE, "", "put off")
SAMPLES = 400
"""Points of a curve: every other one is dropped when there are twice as many."""
STEP_SECONDS = 120.0
"""Of a fleet's curve that nobody watches between two sweeps."""
STALE_SECONDS = 1800.0
"""Operators' sweepers returned a silent worker's tiles after so long."""
OnTick = Callable[[int], None]
"""Told how many tiles are done."""


@dataclass
class Curve:
    """How a run went over time, in a bounded number of points."""

    hours: list[float] = field(default_factory=list)
    up: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    _every: int = 1
    _seen: int = 0

    def add(self, cloud: ModelCloud) -> None:
        self._seen += 1
        if self._seen % self._every:
            return
        self.end(cloud)
        if len(self.hours) >= 2 * SAMPLES:
            self._every *= 2
            for points in (self.hours, self.up, self.done):
                del points[::2]

    def end(self, cloud: ModelCloud) -> None:
        """The last point, whatever came before it."""
        self.hours.append((cloud.now - BEGIN) / SECONDS_PER_HOUR)
        self.up.append(cloud.up())
        self.done.append(cloud.meter.done)


@dataclass(frozen=True, slots=True)
class Run:
    """What one way of keeping a fleet came to."""

    name: str
    tiles: int
    hours: float
    """To the last machine's end, or to where the simulation was cut off."""
    meter: Meter
    curve: Curve
    spend: Spend | None = None
    """By our controller's own account."""

    @property
    def usd_per_tile(self) -> float:
        return self.meter.usd / self.meter.done if self.meter.done else 0.0

    @property
    def is_complete(self) -> bool:
        return self.meter.done >= self.tiles

    @property
    def lost_share(self) -> float:
        """Of the machine time that was paid."""
        return self.meter.lost_hours / self.meter.billed_hours if self.meter.billed_hours else 0.0


def run_controlled(world: World, tiles: int, seed: int, *, most_hours: float, on_tick: OnTick) -> Run:
    """`decide`, tick by tick, until every tile is done and every machine gone."""
    cloud = ModelCloud(world, tiles, seed, BEGIN)
    controller = _Controller(cloud, world.policy())
    curve = Curve()
    while (cloud.meter.done < tiles or cloud.vms) and not _is_over(cloud, most_hours):
        cloud.advance(cloud.now + world.tick_seconds)
        controller.tick()
        curve.add(cloud)
        on_tick(cloud.meter.done)
    cloud.close()
    return _ended("fleetctl watch", cloud, tiles, curve, controller.memory.spend)


def run_swept(world: World, tiles: int, seed: int, *, every_seconds: float, most_hours: float) -> Run:
    """A fixed fleet: every so often everything that is down is started; when all is done it is deleted."""
    cloud = ModelCloud(world, tiles, seed, BEGIN, returns_after=STALE_SECONDS)
    curve = Curve()
    while cloud.meter.done < tiles and not _is_over(cloud, most_hours):
        for name, region in world.names():
            vm = cloud.vms.get(name)
            if vm is None or vm.power is Power.DEALLOCATED:
                _try_to_start(cloud, name, region)
        for _ in range(max(1, round(every_seconds / STEP_SECONDS))):
            cloud.advance(cloud.now + STEP_SECONDS)
            curve.add(cloud)
    cloud.close()
    return _ended(f"started every {every_seconds / 60:.0f} min", cloud, tiles, curve, None)


def _try_to_start(cloud: ModelCloud, name: str, region: Region) -> None:
    try:
        cloud.start(name, region)
    except Refused:
        return  # the next sweep tries again, as operators' loops did


def _is_over(cloud: ModelCloud, most_hours: float) -> bool:
    return cloud.now - BEGIN >= most_hours * SECONDS_PER_HOUR


def _ended(name: str, cloud: ModelCloud, tiles: int, curve: Curve, spend: Spend | None) -> Run:
    curve.end(cloud)
    return Run(name, tiles, (cloud.now - BEGIN) / SECONDS_PER_HOUR, cloud.meter, curve, spend)


@dataclass
class _Controller:
    """The controller's tick, with a modelled cloud for eyes and hands."""

    cloud: ModelCloud
    policy: Policy
    memory: Memory = field(default_factory=lambda: Memory(spend=Spend(counted_until=BEGIN)))
    buckets: Buckets = field(default_factory=lambda: Buckets(BEGIN))

    def __post_init__(self) -> None:
        world = self.cloud.world
        self._regions = {
            pool.name: region for pool, region in zip(self.policy.pools, world.regions, strict=True)
        }
        self._usd_per_gb = world.usd_per_gb()
        self._usd_per_hour = {offer_of(region): region.usd_per_hour for region in world.regions}

    def tick(self) -> None:
        seen = self._look()
        decision = decide(seen, self.memory, self.policy)
        now = paced(decision.actions, self.buckets, seen.now)
        self.buckets, self.memory = now.buckets, decision.memory
        for action in now.later:
            self.memory = learn(self.memory, action, None, PUT_OFF, seen.now)
        full: set[Offer] = set()
        for action in now.now:
            refused = self._try(action, full)
            if refused is not None:
                offer = offer_of(self._region(action))
                self.memory = learn(self.memory, action, offer, refused, seen.now)

    def _try(self, action: Action, full: set[Offer]) -> Refused | None:
        """As the controller's hands do: once one start finds no room, the others there are put off."""
        if action.verb in STARTS and offer_of(self._region(action)) in full:
            return PUT_OFF
        try:
            self._carry_out(action)
        except Refused as refused:
            if refused.kind is Refusal.NO_CAPACITY:
                full.add(offer_of(self._region(action)))
            return refused
        return None

    def _look(self) -> Snapshot:
        cloud, world = self.cloud, self.cloud.world
        vms = cloud.vms.values()
        used = dict.fromkeys((region.name for region in world.regions), 0)
        for vm in vms:
            used[vm.region.name] += VCPUS
        heartbeats = (vm.heartbeat(cloud.now) for vm in vms)
        return Snapshot(
            now=cloud.now,
            vms={vm.name: vm.listed() for vm in vms},
            workers=tuple(heartbeat for heartbeat in heartbeats if heartbeat),
            queues=QueuesSeen(cloud.waiting + cloud.held() + cloud.returning, 0, 0, 0),
            jobs=(),
            spot_quota={name: Quota(world.quota_vcpus, vcpus) for name, vcpus in used.items()},
            usd_per_hour=self._usd_per_hour,
            usd_per_gb=self._usd_per_gb,
            sent=tuple(
                Sent(name, region.name, JOB, cloud.meter.sent_bytes[region.name])
                for name, region in self._regions.items()
            ),
            evicted_boots=frozenset((vm.name, vm.boot_id) for vm in vms if vm.is_noticed),
            tile_seconds=world.seconds.infer,
        )

    def _region(self, action: Action) -> Region:
        return self._regions[pool_of(action.target, FLEET)]

    def _carry_out(self, action: Action) -> None:
        if action.verb in STARTS:
            self.cloud.start(action.target, self._region(action))
        elif action.verb is Verb.DEALLOCATE:
            self.cloud.deallocate(action.target)
        elif action.verb is Verb.DELETE:
            self.cloud.delete(action.target)
        elif action.verb is Verb.DRAIN:
            self.cloud.drain(action.target)
