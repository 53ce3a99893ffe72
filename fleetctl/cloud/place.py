"""Where a fleet's machines live: subscription, resource group, endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contract.fleet import Fleet
from fleetctl.controller.policy import Offer
from fleetctl.fleet_file import FleetFile


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fleet's machines live."""

    fleet: str
    subscription: str
    resource_group: str
    offers: Mapping[str, Offer]
    """By pool: what a machine is taken for until the full listing tells."""
    url: str = ""
    """Of another Resource Manager than Azure's own."""


def place_of(fleet: Fleet, file: FleetFile) -> Place:
    """As the fleet file says."""
    return Place(
        fleet=fleet.name,
        subscription=file.azure.subscription,
        resource_group=file.azure.resource_group,
        offers={pool.name: pool.offer for pool in file.policy.pools},
        url=file.azure.resource_manager_url,
    )
