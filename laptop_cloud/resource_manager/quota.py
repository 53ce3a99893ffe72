"""How many vCPUs the subscription may have in a region, and how many it has. Deallocated machines count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from laptop_cloud.resource_manager.problems import quota_exceeded
from laptop_cloud.resource_manager.records import World
from laptop_cloud.resource_manager.sizes import SIZES, Size

MANY_MACHINES = 25_000


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits, the same in every region."""

    spot_vcpus: int = 350
    regular_vcpus: int = 100
    """In all, and of each family."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One row of a region's usages."""

    name: str
    title: str
    used: int
    limit: int


class QuotaBook:
    """The subscription's account."""

    def __init__(self, quotas: Quotas, world: World) -> None:
        self._quotas = quotas
        self._world = world

    def check(self, location: str, size: Size, *, is_spot: bool) -> None:
        """Problem when one more of these would be too many."""
        if is_spot:
            kinds = [("LowPriorityCores", self._quotas.spot_vcpus, self._spot(location))]
        else:
            limit = self._quotas.regular_vcpus
            families = self._families(location)
            kinds = [
                ("Total Regional Cores", limit, sum(families.values())),
                (f"{size.family} Cores", limit, families.get(size.family, 0)),
            ]
        for kind, limit, used in kinds:
            if used + size.vcpus > limit:
                raise quota_exceeded(kind, location, limit=limit, used=used, required=size.vcpus)

    def usages(self, location: str) -> Iterable[Usage]:
        """As Azure lists them."""
        families = self._families(location)
        regular = self._quotas.regular_vcpus
        machines = sum(machine.location == location for machine in self._world.machines.values())
        yield Usage("cores", "Total Regional vCPUs", sum(families.values()), regular)
        yield Usage("virtualMachines", "Virtual Machines", machines, MANY_MACHINES)
        spot = self._quotas.spot_vcpus
        yield Usage("lowPriorityCores", "Total Regional Spot vCPUs", self._spot(location), spot)
        for family in sorted({size.family for size in SIZES.values()}):
            yield Usage(family, f"{family} vCPUs", families.get(family, 0), regular)

    def _spot(self, location: str) -> int:
        ours = sum(
            SIZES[machine.size].vcpus
            for machine in self._world.machines.values()
            if machine.location == location and machine.is_spot
        )
        return ours + self._world.others_vcpus.get(location, 0)

    def _families(self, location: str) -> dict[str, int]:
        """Of machines at the full price."""
        used: dict[str, int] = {}
        for machine in self._world.machines.values():
            if machine.location == location and not machine.is_spot:
                size = SIZES[machine.size]
                used[size.family] = used.get(size.family, 0) + size.vcpus
        return used
