"""The modelled world: regions with their prices and evictions, and how long everything takes.

Measured figures are from operators' reports: evictions per machine and hour of nine regions, stage seconds of a
tile on a whole A10, its price in one region. The names of the seven regions beside the first two, their prices
and the shape of a mass eviction are assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from fleetctl.controller.policy import Limits, Offer, Patience, Policy, Pool, Priority, Route, vm_name
from fleetctl.money.first_figures import first_figures

SIZE = "Standard_NV36ads_A10_v5"
VCPUS = 36
FLEET = "simulated"
JOB = "simulated"
DEFAULT_QUOTA_VCPUS = 350
"""Per region: nine machines."""
SPARE_QUOTA = 1.15
"""A fleet that is larger than that is given quota for so many times its size."""
WORLD_TILES = 1_600_000
HOME = "westeurope"
"""Where the storage is: what machines in other regions send there is paid for."""
TILE_BYTES = 110_000_000
"""Of results, as of the Manchester tile."""
SECONDS_OF_TICK_PER_VM = 0.045
"""A simulated tick is longer than a real one for large fleets: 90 s at 2,000 machines, to end in time."""


@dataclass(frozen=True, slots=True)
class Region:
    """One place where machines can be had."""

    name: str
    usd_per_hour: float
    evictions_per_vm_hour: float


REGIONS = (
    Region("westeurope", 0.650, 0.0010),
    Region("francecentral", 0.640, 0.0530),
    Region("eastus", 0.591, 0.0690),
    Region("eastus2", 0.591, 0.0695),
    Region("southcentralus", 0.600, 0.0700),
    Region("northeurope", 0.630, 0.0705),
    Region("uksouth", 0.645, 0.0710),
    Region("swedencentral", 0.610, 0.0715),
    Region("germanywestcentral", 0.660, 0.0720),
)


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long things take."""

    download: float = 136.0
    infer: float = 262.0
    upload: float = 7.0
    spread: float = 0.15
    """Of a tile's inference: uniform, this share up or down."""
    start: float = 45.0
    """From the call to running."""
    boot: float = 240.0
    """From running to the first tile."""
    stop: float = 30.0
    """Deallocating and deleting."""
    hand_back: float = 5.0
    """An evicted machine's tiles are free again, when its notice was heard."""
    lease: float = 90.0
    """And when it was not."""


@dataclass(frozen=True, slots=True)
class Squeezes:
    """Evictions come half one by one, half as many machines of a region at once, with no room for a while."""

    share_of_evictions: float = 0.5
    share_of_machines: float = 0.6
    median_seconds: float = 1200.0
    spread: float = 0.7
    """Of the logarithm."""
    unheard_share: float = 0.1
    """Evictions whose notice nobody heard."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a simulation assumes."""

    vms: int
    regions: tuple[Region, ...] = REGIONS
    seconds: Seconds = Seconds()
    squeezes: Squeezes = Squeezes()

    @property
    def quota_vcpus(self) -> int:
        """Of each region."""
        needed = math.ceil(self.vms * SPARE_QUOTA / len(self.regions)) * VCPUS
        return max(DEFAULT_QUOTA_VCPUS, needed)

    @property
    def tick_seconds(self) -> float:
        return max(Patience().tick, self.vms * SECONDS_OF_TICK_PER_VM)

    def policy(self) -> Policy:
        """What the operator of this world would write."""
        tiles_per_hour = 3600.0 / self.seconds.infer
        most = self.quota_vcpus // VCPUS
        pools = tuple(
            Pool(f"a10{number}", offer_of(region), VCPUS, 1, 0, most, tiles_per_slot_hour=tiles_per_hour)
            for number, region in enumerate(self.regions)
        )
        patience = replace(Patience(), tick=self.tick_seconds)
        return Policy(FLEET, pools, Limits(vms=self.vms), patience, home=HOME)

    def usd_per_gb(self) -> dict[str, float]:
        """Of what leaves a region for the storage, by the list's shipped figures."""
        routes = [Route(region.name, HOME) for region in self.regions if region.name != HOME]
        return {route.origin: first_figures().usd_per_gb(route).value for route in routes}

    def names(self) -> list[tuple[str, Region]]:
        """A fixed fleet's machines, spread evenly."""
        places = [(number // len(self.regions), number % len(self.regions)) for number in range(self.vms)]
        return [(vm_name(FLEET, f"a10{at}", row + 1), self.regions[at]) for row, at in places]


def offer_of(region: Region) -> Offer:
    return Offer(region.name, SIZE, Priority.SPOT)
