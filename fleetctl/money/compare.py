"""Which machine to take: dollars and hours per tile of every size in every region, side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from fleetctl.cloud.sizes import vcpus_of
from fleetctl.controller.policy import Offer, Priority
from fleetctl.money.figures import Figure, derived
from fleetctl.money.knowledge import Knowledge

SECONDS_PER_HOUR = 3600.0


class Order(StrEnum):
    """What comes first."""

    COST = "cost"
    """The fewest dollars per tile."""
    RATE_PER_QUOTA = "rate-per-quota"
    """The most tiles per hour for each vCPU of quota."""
    FINISH = "finish"
    """The most tiles per hour that the region's quota allows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One size in one region, bought as spot."""

    offer: Offer
    machine: str
    """What it is, for a person."""
    vcpus: int
    usd_per_hour: Figure
    """Of one machine."""
    usd_per_tile: Figure
    """Machine time alone, without evictions, boots and idle time: the estimate has those."""
    tiles_per_hour: Figure
    """Of one machine."""
    vms: Figure
    """That the region's quota allows; only whole ones."""
    tiles_per_hour_region: Figure
    usd_per_hour_region: Figure
    evictions_per_vm_hour: Figure
    value_ratio: Figure | None
    """Tiles per dollar against the same machine on demand, evictions counted; None without its regular price."""

    @property
    def tiles_per_hour_vcpu(self) -> float:
        return self.tiles_per_hour.value / self.vcpus

    def as_json(self) -> dict[str, Any]:
        figures = {f.name: getattr(self, f.name) for f in fields(self)[3:]}
        return {
            "region": self.offer.region,
            "size": self.offer.size,
            "machine": self.machine,
            "vcpus": self.vcpus,
            **{name: figure.as_json() if figure else None for name, figure in figures.items()},
        }


def compare(offers: Iterable[Offer], known: Knowledge, order: Order) -> tuple[Row, ...]:
    """A row for every offer of which price and speed are known, the best first."""
    rows = [row for offer in offers if (row := _row(offer, known)) is not None]
    return tuple(sorted(rows, key=lambda row: (_rank(row, order), str(row.offer))))


def unknown_offers(offers: Iterable[Offer], rows: Sequence[Row]) -> list[Offer]:
    """Those that no row could be made of: to be calibrated, or named otherwise."""
    shown = {row.offer for row in rows}
    return [offer for offer in offers if offer not in shown]


def _rank(row: Row, order: Order) -> float:
    if order is Order.COST:
        return row.usd_per_tile.value
    return -(row.tiles_per_hour_vcpu if order is Order.RATE_PER_QUOTA else row.tiles_per_hour_region.value)


def _row(offer: Offer, known: Knowledge) -> Row | None:
    price, seconds = known.prices.get(offer), known.tile_seconds(offer)
    if price is None or seconds is None:
        return None
    vcpus = vcpus_of(offer.size)
    evictions = known.evictions_per_vm_hour(offer)
    per_hour = derived(lambda s: SECONDS_PER_HOUR / s, seconds)
    vms = derived(lambda limit: limit // vcpus, known.spot_vcpus(offer.region))
    first = known.first.sizes.get(offer.size)
    return Row(
        offer=offer,
        machine=first.machine if first else "",
        vcpus=vcpus,
        usd_per_hour=price,
        usd_per_tile=derived(lambda usd, s: usd * s / SECONDS_PER_HOUR, price, seconds),
        tiles_per_hour=per_hour,
        vms=vms,
        tiles_per_hour_region=derived(lambda rate, count: rate * count, per_hour, vms),
        usd_per_hour_region=derived(lambda usd, count: usd * count, price, vms),
        evictions_per_vm_hour=evictions,
        value_ratio=_value_ratio(offer, known, price, seconds, evictions),
    )


def _value_ratio(
    offer: Offer, known: Knowledge, price: Figure, seconds: Figure, evictions: Figure
) -> Figure | None:
    """(regular price / spot price) / (1 + evictions per hour * (a boot + half a tile)): what is lost comes twice."""
    regular = known.prices.get(Offer(offer.region, offer.size, Priority.REGULAR))
    if regular is None:
        return None
    boot = known.boot_seconds(offer)
    return derived(
        lambda r, s, rate, boot_s, tile_s: r / s / (1 + rate * (boot_s + tile_s / 2) / SECONDS_PER_HOUR),
        *(regular, price, evictions, boot, seconds),
    )
