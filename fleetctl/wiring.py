"""The one place that reads the environment and names the real storage."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.azure_clients import AzureClients, is_loopback, storage_endpoints
from contract.blob_store import BlobStore
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import BadInput
from contract.fleet import Fleet, choose_fleet, chosen_name, fleet_path
from contract.fleet_queues import FleetQueues
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue
from fleetctl.cloud.place import place_of
from fleetctl.controller.policy import Offer, Priority, Route
from fleetctl.fleet_file import FleetFile, read_operator_file
from fleetctl.settings import Settings

if TYPE_CHECKING:
    from fleetctl.cloud.azure import AzureMachines
    from fleetctl.controller.assemble import World
    from fleetctl.controller.snapshot import Quota
    from fleetctl.money.price_book import PriceBook

PRICE_FILE = "tilefleet/prices.json"
"""Below the user's cache folder."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A fleet's storage, as fleetctl uses it."""

    store: BlobStore
    queues: FleetQueues


def load_settings() -> Settings:
    """The settings of this process's environment."""
    return Settings.from_env(os.environ)


def load_fleet(named: str | None) -> Fleet:
    """The fleet that was named, or is chosen here."""
    return choose_fleet(named, os.environ, Path.cwd())


def load_operator_file(named: str | None, fleet: Fleet) -> FleetFile:
    """The machines, budget and limits in that fleet's file."""
    name = chosen_name(named, os.environ, Path.cwd())
    return read_operator_file(fleet_path(name, os.environ, Path.cwd()), fleet.name)


def connect_machines(fleet: Fleet, file: FleetFile) -> AzureMachines:
    """The fleet's machines; nothing is asked of the cloud yet."""
    # The SDK takes a second to load, and most commands need no machine.
    from fleetctl.cloud.azure import AzureMachines  # noqa: PLC0415
    from fleetctl.cloud.clients import credential_for  # noqa: PLC0415

    place = place_of(fleet, file)
    return AzureMachines(place, credential_for(place.url))


def is_fleet_chosen() -> bool:
    """Does a command without `--fleet` know which one is meant?"""
    try:
        load_fleet(None)
    except BadInput:
        return False
    return True


def price_book(settings: Settings, file: FleetFile | None = None) -> PriceBook:
    """Prices from Azure's list, from this user's cache, or as shipped. Where `file` names a Resource Manager of its
    own, the laptop cloud's, that one's list counts, and is kept beside the file."""
    from fleetctl.money.first_figures import first_figures  # noqa: PLC0415  with its HTTP client, for few commands
    from fleetctl.money.price_book import PriceBook  # noqa: PLC0415
    from fleetctl.money.retail import RetailPrices  # noqa: PLC0415

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept, price_list = cache / PRICE_FILE, settings.price_list
    if file is not None and is_loopback(file.azure.resource_manager_url):
        kept, price_list = (
            file.path.parent / "prices.json",
            f"{file.azure.resource_manager_url}/api/retail/prices",
        )
    fetch = RetailPrices(price_list).fetch if price_list else _no_prices
    return PriceBook(kept, first_figures(), fetch, time.time)


def _no_prices(_wanted: Iterable[Offer | Route]) -> Mapping[Offer | Route, float]:
    return {}


def spot_quotas(named: str | None, regions: Iterable[str]) -> dict[str, Quota]:
    """Of those regions that answer; none where no fleet with machines is chosen."""
    from fleetctl.cloud.machines import Refused  # noqa: PLC0415

    try:
        fleet = load_fleet(named)
        machines = connect_machines(fleet, load_operator_file(named, fleet))
    except BadInput:
        return {}
    found: dict[str, Quota] = {}
    for region in regions:
        with suppress(Refused):
            found[region] = machines.quota(region, Priority.SPOT)
    return found


def connect_world(named: str | None, fleet: Fleet, settings: Settings) -> World:
    """Everything that a controller of that fleet looks at and acts on. BadInput for a fleet file with mistakes."""
    from fleetctl.cloud.new_vms import new_vm_maker  # noqa: PLC0415  with the controller, for few commands
    from fleetctl.controller.assemble import World  # noqa: PLC0415
    from fleetctl.controller.policy_file import PolicyFile  # noqa: PLC0415

    file = load_operator_file(named, fleet)
    storage = connect(fleet, settings)
    return World(
        store=storage.store,
        queues=storage.queues,
        machines=connect_machines(fleet, file),
        prices=price_book(settings, file),
        new_vm=new_vm_maker(fleet, file),
        policy=PolicyFile(file, lambda: load_operator_file(named, fleet)),
    )


def ensure_storage(fleet: Fleet, settings: Settings) -> None:
    """Make the fleet's container and queues unless they are there."""
    AzureBlobStore(AzureClients(storage_endpoints(fleet))).ensure()
    connect(fleet, settings).queues.ensure()


def connect(fleet: Fleet, settings: Settings) -> Storage:
    """The fleet's storage; nothing is asked of it yet."""
    # Records and artifacts are read at the same time, while a listing goes on.
    clients = AzureClients(storage_endpoints(fleet), connections=2 * settings.connections + 2)
    names = queue_names(fleet.name)
    queues = [AzureTileQueue(clients, name) for name in (names.tiles, names.urgent, names.poison)]
    return Storage(AzureBlobStore(clients), FleetQueues(*queues))
