"""What sizes a region offers a subscription, from its list of SKUs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleetctl.controller.policy import Offer, Priority


@dataclass(frozen=True, slots=True)
class SizeSeen:
    """One size in one region."""

    vcpus: int
    is_spot: bool
    """Azure calls it LowPriorityCapable."""
    restriction: str
    """Why this subscription may not have it there; empty: it may."""


def sizes_seen(skus: Iterable[Mapping[str, Any]], region: str) -> dict[str, SizeSeen]:
    """The machine sizes among them, by name in lower case."""
    return {
        str(sku["name"]).lower(): _size(sku, region)
        for sku in skus
        if str(sku.get("resourceType")).lower() == "virtualmachines"
    }


def why_not_offered(sizes: Mapping[str, SizeSeen], offer: Offer) -> str:
    """In words, why that offer cannot be had; empty when it can, room and quota aside."""
    if not sizes:
        return f"no size is offered in {offer.region}: is there such a region?"
    size = sizes.get(offer.size.lower())
    if size is None:
        return f"{offer.region} has no size {offer.size}"
    if size.restriction:
        return f"{offer.size} is not open to this subscription in {offer.region}: {size.restriction}"
    if offer.priority is Priority.SPOT and not size.is_spot:
        return f'{offer.size} is not to be had as spot in {offer.region}; write priority = "regular"'
    return ""


def _size(sku: Mapping[str, Any], region: str) -> SizeSeen:
    capabilities = {str(c.get("name")).lower(): str(c.get("value")) for c in sku.get("capabilities") or ()}
    restrictions = (_reason(entry) for entry in sku.get("restrictions") or () if _closes(entry, region))
    return SizeSeen(
        vcpus=int(capabilities.get("vcpus", "0")),
        is_spot=capabilities.get("lowprioritycapable", "").lower() == "true",
        restriction=next(restrictions, ""),
    )


def _closes(restriction: Mapping[str, Any], region: str) -> bool:
    """The whole region; a closed zone leaves the others."""
    if str(restriction.get("type")).lower() != "location":
        return False
    return region.lower() in (str(value).lower() for value in restriction.get("values") or ())


def _reason(restriction: Mapping[str, Any]) -> str:
    return str(restriction.get("reasonCode") or "no reason given")
