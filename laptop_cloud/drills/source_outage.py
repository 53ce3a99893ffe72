"""The drill of six hours, which nobody has: the imagery's source fails in virtual time, and `decide` runs against the
modelled cloud of `fleetctl simulate`. No program is started."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetctl.cloud.machines import Refused
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.decide import decide
from fleetctl.controller.learn import learn
from fleetctl.controller.machine import pool_of
from fleetctl.controller.memory import Memory, Spend
from fleetctl.controller.snapshot import Attempts, Power, QueuesSeen, Quota, Snapshot
from fleetctl.simulation.cloud import ModelCloud
from fleetctl.simulation.machine import SimVm
from fleetctl.simulation.world import FLEET, VCPUS, World, offer_of
from laptop_cloud.drills.cost import Cost
from laptop_cloud.drills.failure import DrillFailed
from laptop_cloud.drills.play import Scene

HOUR_SECONDS = 3600.0
OUTAGE_SECONDS = 6 * HOUR_SECONDS
MOST_SECONDS = 48 * HOUR_SECONDS
WINDOW_SECONDS = 600.0
RESUME_SECONDS = 1800.0
"""A probe that was evicted just then has to boot, and to do a tile."""
MACHINES, TILES = 12, 600


def source_outage(scene: Scene) -> Cost:
    """For six hours (of virtual time) no worker gets imagery. The controller pauses intake and lets all machines go but
    one probe per region; when a probe gets through, the fleet comes back, and every tile is done."""
    world = World(MACHINES)
    begins = scene.chance.uniform(1.0, 2.0) * HOUR_SECONDS
    cloud = DrySource(world, TILES, scene.seed, 0.0, fails_from=begins, fails_until=begins + OUTAGE_SECONDS)
    controller = VirtualController(cloud)
    most, paused_at, resumed_at = 0, 0.0, 0.0
    while (cloud.meter.done < TILES or cloud.vms) and cloud.now < MOST_SECONDS:
        cloud.advance(cloud.now + world.tick_seconds)
        controller.tick()
        is_paused = controller.memory.outage_since is not None
        paused_at = paused_at or cloud.now * is_paused
        if paused_at:
            resumed_at = resumed_at or cloud.now * (not is_paused)
        if begins + HOUR_SECONDS <= cloud.now < cloud.fails_until:
            most = max(most, cloud.up())
    _check(cloud, most, paused_at, resumed_at)
    cloud.close()
    remark = (
        f"virtual: intake paused {(paused_at - begins) / 60:.0f} min after the outage began, resumed "
        f"{(resumed_at - cloud.fails_until) / 60:.0f} min after its end; at most {most} of {MACHINES} machines "
        f"after its first hour; {cloud.meter.usd:.2f} USD"
    )
    return Cost(TILES, None, None, None, (remark,))


def _check(cloud: DrySource, most: int, paused_at: float, resumed_at: float) -> None:
    if cloud.meter.done != TILES or cloud.vms:
        found = (
            f"{cloud.meter.done} of {TILES} tiles, {len(cloud.vms)} machines after {cloud.now / 3600:.1f} h"
        )
        raise DrillFailed("every tile is done and every machine gone after an outage", found)
    if not cloud.fails_from < paused_at < cloud.fails_until <= resumed_at:
        raise DrillFailed(
            "intake is paused in an outage, and not after it", f"{paused_at:.0f}, {resumed_at:.0f}"
        )
    if resumed_at - cloud.fails_until > RESUME_SECONDS:
        found = f"after {resumed_at - cloud.fails_until:.0f} s"
        raise DrillFailed("a probe finds out soon that the source is back", found)
    if most > len(cloud.world.regions):
        found = f"{most} machines in {len(cloud.world.regions)} regions"
        raise DrillFailed("no more than one probe per region stays in an outage", found)


@dataclass
class DrySource(ModelCloud):
    """A cloud whose workers get no imagery for a while."""

    fails_from: float = 0.0
    fails_until: float = 0.0
    is_paused: bool = False
    """Intake: only one machine of each region tries."""
    _attempts: list[tuple[float, bool]] = field(default_factory=list)
    """When each ended, and whether the source failed it."""

    def attempts(self) -> Attempts:
        """Of the last ten minutes."""
        self._attempts = [known for known in self._attempts if known[0] > self.now - WINDOW_SECONDS]
        return Attempts(len(self._attempts), sum(has_failed for _, has_failed in self._attempts))

    def _take(self, vm: SimVm, at: float) -> None:
        if self.is_paused and not self._is_probe(vm):
            return
        if self.fails_from <= at < self.fails_until:
            if self.waiting:
                self._attempts.append((at, True))
            return
        super()._take(vm, at)

    def _finish(self, vm: SimVm, at: float) -> None:
        self._attempts.append((at, False))
        super()._finish(vm, at)

    def _is_probe(self, vm: SimVm) -> bool:
        running = (other for other in self.vms.values() if other.power is Power.RUNNING)
        return vm is next((other for other in running if other.region is vm.region), None)


@dataclass
class VirtualController:
    """Ticks of the controller, without storage and without a lease."""

    cloud: DrySource
    memory: Memory = field(default_factory=lambda: Memory(spend=Spend(counted_until=0.0)))

    def __post_init__(self) -> None:
        self._policy = self.cloud.world.policy()
        regions = self.cloud.world.regions
        self._region_of = dict(zip((pool.name for pool in self._policy.pools), regions, strict=True))

    def tick(self) -> None:
        """Look, decide, act."""
        seen = self._look()
        decision = decide(seen, self.memory, self._policy)
        self.memory = decision.memory
        self.cloud.is_paused = self.memory.outage_since is not None
        for action in decision.actions:
            try:
                self._carry_out(action)
            except Refused as refused:
                offer = offer_of(self._region_of[pool_of(action.target, FLEET)])
                self.memory = learn(self.memory, action, offer, refused, seen.now)

    def _look(self) -> Snapshot:
        cloud = self.cloud
        regions, vms = cloud.world.regions, list(cloud.vms.values())
        heartbeats = (vm.heartbeat(cloud.now) for vm in vms)
        used = {region.name: VCPUS * sum(vm.region is region for vm in vms) for region in regions}
        return Snapshot(
            now=cloud.now,
            vms={vm.name: vm.listed() for vm in vms},
            workers=tuple(heartbeat for heartbeat in heartbeats if heartbeat),
            queues=QueuesSeen(cloud.waiting + cloud.held() + cloud.returning, 0, 0, 0),
            jobs=(),
            spot_quota={name: Quota(cloud.world.quota_vcpus, vcpus) for name, vcpus in used.items()},
            usd_per_hour={offer_of(region): region.usd_per_hour for region in regions},
            evicted_boots=frozenset((vm.name, vm.boot_id) for vm in vms if vm.is_noticed),
            attempts=cloud.attempts(),
            tile_seconds=cloud.world.seconds.infer,
        )

    def _carry_out(self, action: Action) -> None:
        if action.verb in (Verb.CREATE, Verb.START):
            self.cloud.start(action.target, self._region_of[pool_of(action.target, FLEET)])
        elif action.verb is Verb.DEALLOCATE:
            self.cloud.deallocate(action.target)
        elif action.verb is Verb.DELETE:
            self.cloud.delete(action.target)
        elif action.verb is Verb.DRAIN:
            self.cloud.drain(action.target)
