"""How long a job takes on a fleet and what it costs, as distributions: a small Monte-Carlo over what is unknown. Pure.

Each draw is one world: how long a tile takes, what a machine costs, how often machines are taken and for how long,
how many of them the cloud grants at all. Within a world everything is averages: for jobs of hundreds of tiles the
spread between worlds is far wider than the spread within one. docs/decisions/0022-money.md says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fleetctl.controller.policy import Offer, Route
from fleetctl.controller.rules.charge import DISK_USD_PER_HOUR
from fleetctl.money.figures import Basis, Figure, assumed
from fleetctl.money.knowledge import Knowledge

DRAWS = 2000
SECONDS_PER_HOUR = 3600.0
PARTS = ("compute", "evicted", "boot and idle", "disks", "network", "controller")
"""Of the dollars that a job costs once."""
SPREAD = {
    "tile_seconds": {Basis.MEASURED: 0.08, Basis.ASSUMED: 0.20},
    "usd_per_hour": {Basis.MEASURED: 0.03, Basis.ASSUMED: 0.15},
    "evictions": {Basis.MEASURED: 0.30, Basis.ASSUMED: 1.00},
    "boot_seconds": {Basis.MEASURED: 0.10, Basis.ASSUMED: 0.25},
    "away_seconds": {Basis.MEASURED: 0.50, Basis.ASSUMED: 1.00},
}
"""Standard deviation of the logarithm: .08 is about 8 %, 1.0 a factor of 2.7 either way."""
MOST_EVICTIONS_PER_VM_HOUR = 0.5

Draws = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """What holds for the whole fleet, each figure with its source."""

    away_seconds: Figure = field(default_factory=lambda: assumed(900.0, "capacity is mostly back in minutes"))
    """From an eviction until the machine may start again."""
    least_granted: Figure = field(
        default_factory=lambda: assumed(0.5, "of 100 A10 machines rarely more than half were online")
    )
    """Share of the wanted machines that the cloud has room for; between this and all of them."""
    idle_seconds: Figure = field(default_factory=lambda: assumed(300.0, "the fleet's idle grace"))
    """Of each machine after its last tile."""
    disk_usd_per_hour: Figure = field(
        default_factory=lambda: assumed(DISK_USD_PER_HOUR, "64 GB standard SSD, list price of East US")
    )
    handover_usd_per_gb: Figure = field(
        default_factory=lambda: assumed(0.087, "to the internet, list price, first 10 TB")
    )
    storage_usd_per_gb_month: Figure = field(
        default_factory=lambda: assumed(0.0184, "hot, locally redundant, list price of East US")
    )
    controller_usd_per_hour: Figure = field(
        default_factory=lambda: assumed(0.0416, "a B2s machine of its own; nothing on a laptop")
    )
    tile_gb: Figure = field(
        default_factory=lambda: assumed(0.11, "embedding and scales of the Manchester tile")
    )
    """Of results."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """So many machines of one offer."""

    offer: Offer
    vms: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What came out, one value per draw."""

    hours: Draws
    """Until the last tile is committed."""
    parts: Mapping[str, Draws]
    """USD of each part."""
    storage_usd_per_month: float
    """For as long as the results are kept."""
    handover_usd: float
    """To take them all out of the cloud once."""

    @property
    def usd(self) -> Draws:
        """Everything that the job costs once."""
        total: Draws = np.sum(list(self.parts.values()), axis=0)
        return total


def forecast(
    tiles: int, pools: Sequence[PoolPlan], known: Knowledge, world: World, *, home: str, seed: int
) -> Forecast:
    """`home`: the region of the storage; pools elsewhere pay for traffic. The same seed is the same forecast."""
    random = np.random.default_rng(seed)
    shared: dict[tuple[str, str], Draws] = {}
    drawn = [_draw(pool, tiles, known, world, random, shared) for pool in pools]
    per_hour = np.sum([pool.tiles_per_hour for pool in drawn], axis=0)
    ramp_up = np.max([pool.boot_hours + pool.tile_hours for pool in drawn], axis=0)
    hours = tiles / per_hour + ramp_up
    parts = dict.fromkeys(PARTS, np.zeros(DRAWS))
    for plan, pool in zip(pools, drawn, strict=True):
        share = tiles * pool.tiles_per_hour / per_hour
        for name, usd in pool.usd(share, hours).items():
            parts[name] = parts[name] + usd
        if plan.offer.region != home:
            usd_per_gb = known.usd_per_gb(Route(plan.offer.region, home)).value
            parts["network"] = parts["network"] + share * world.tile_gb.value * usd_per_gb
    parts["controller"] = hours * world.controller_usd_per_hour.value
    gb = tiles * world.tile_gb.value
    return Forecast(
        hours, parts, gb * world.storage_usd_per_gb_month.value, gb * world.handover_usd_per_gb.value
    )


@dataclass(frozen=True, slots=True)
class _PoolDraws:
    """One pool in every world."""

    vms: Draws
    """Granted ones."""
    tile_hours: Draws
    boot_hours: Draws
    usd_per_hour: Draws
    evictions_per_hour: Draws
    """Of one machine while it runs."""
    online: Draws
    """Share of the time."""
    idle_hours: float
    disk_usd_per_hour: float

    @property
    def wasted_hours_per_eviction(self) -> Draws:
        """Half a tile is lost, and the machine boots again."""
        return self.boot_hours + self.tile_hours / 2

    @property
    def tiles_per_hour(self) -> Draws:
        working = self.online / (1 + self.evictions_per_hour * self.wasted_hours_per_eviction)
        return self.vms * working / self.tile_hours

    def usd(self, tiles: Draws, hours: Draws) -> dict[str, Draws]:
        busy_hours = tiles * self.tile_hours
        evictions = busy_hours * self.evictions_per_hour
        boots = self.vms + evictions
        return {
            "compute": busy_hours * self.usd_per_hour,
            "evicted": evictions * self.tile_hours / 2 * self.usd_per_hour,
            "boot and idle": (boots * self.boot_hours + self.vms * self.idle_hours) * self.usd_per_hour,
            "disks": self.vms * (hours + self.idle_hours) * self.disk_usd_per_hour,
        }


def _draw(
    plan: PoolPlan,
    tiles: int,
    known: Knowledge,
    world: World,
    random: np.random.Generator,
    shared: dict[tuple[str, str], Draws],
) -> _PoolDraws:
    """`shared`: where we err about a size, we err in every region; evictions and capacity are each region's own."""
    seconds, price = known.tile_seconds(plan.offer), known.prices.get(plan.offer)
    if seconds is None or price is None:
        raise AssertionError(f"nobody knows what {plan.offer} costs or how fast it is")

    def around(name: str, figure: Figure) -> Draws:
        key = (name, plan.offer.size)
        if key not in shared:
            shared[key] = random.normal(0.0, 1.0, DRAWS)
        draws: Draws = figure.value * np.exp(SPREAD[name][figure.basis] * shared[key])
        return draws

    rate = known.evictions_per_vm_hour(plan.offer)
    taken = rate.value * np.exp(random.normal(0.0, SPREAD["evictions"][rate.basis], DRAWS))
    evictions = np.minimum(taken, MOST_EVICTIONS_PER_VM_HOUR)
    away_hours = around("away_seconds", world.away_seconds) / SECONDS_PER_HOUR
    granted = random.uniform(world.least_granted.value, 1.0, DRAWS)
    return _PoolDraws(
        vms=np.maximum(1.0, min(plan.vms, tiles) * granted),
        tile_hours=around("tile_seconds", seconds) / SECONDS_PER_HOUR,
        boot_hours=around("boot_seconds", known.boot_seconds(plan.offer)) / SECONDS_PER_HOUR,
        usd_per_hour=around("usd_per_hour", price),
        evictions_per_hour=evictions,
        online=1 / (1 + evictions * away_hours),
        idle_hours=world.idle_seconds.value / SECONDS_PER_HOUR,
        disk_usd_per_hour=world.disk_usd_per_hour.value,
    )
