"""What the machines cost, by the cloud's own states, clock and price list: whoever else counts can be compared."""

from __future__ import annotations

from dataclasses import dataclass

from laptop_cloud.resource_manager.prices import usd_per_hour
from laptop_cloud.resource_manager.records import Machine, Metered, World
from laptop_cloud.resource_manager.sizes import SIZES

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Bill:
    """Of all machines since the cloud began, in hours of whoever counts by an ordinary clock."""

    machine_hours: float
    """With their hardware."""
    compute_usd: float
    disk_hours: float
    """Of their system disks, which this cloud's price list does not have."""
    switches: int
    """How often a machine got or lost its hardware: who looks now and then errs by up to one look at each."""


def count(machine: Machine, now: float) -> None:
    """Up to `now`, in cloud seconds, it was in the state in which it is. To be called before each change of it."""
    seconds = now - machine.metered_until
    machine.disk_seconds += seconds
    if machine.is_billed:
        machine.billed_seconds += seconds
    machine.metered_until = now


def remember(world: World, machine: Machine) -> None:
    """The machine is gone; what it used is not."""
    offer = (machine.location, machine.size, machine.is_spot)
    known = next((row for row in world.gone if (row.location, row.size, row.is_spot) == offer), None)
    if known is None:
        known = Metered(*offer)
        world.gone.append(known)
    known.billed_seconds += machine.billed_seconds
    known.disk_seconds += machine.disk_seconds
    known.switches += machine.switches


def bill(world: World, speed: float) -> Bill:
    """Up to the world's own moment. `speed`: cloud seconds that pass in one second of its clients."""
    for machine in world.machines.values():
        count(machine, world.now)
    rows: list[Metered | Machine] = [*world.gone, *world.machines.values()]
    hours = [row.billed_seconds / speed / SECONDS_PER_HOUR for row in rows]
    return Bill(
        machine_hours=sum(hours),
        compute_usd=sum(
            of_row * usd_per_hour(SIZES[row.size], row.location, is_spot=row.is_spot)
            for row, of_row in zip(rows, hours, strict=True)
        ),
        disk_hours=sum(row.disk_seconds for row in rows) / speed / SECONDS_PER_HOUR,
        switches=sum(row.switches for row in rows),
    )
