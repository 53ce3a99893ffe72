"""The one place that reads the environment and names the real storage."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.fleet import Fleet, choose_fleet, chosen_name, fleet_path, read_tables
from contract.fleet_queues import FleetQueues
from contract.queue_names import queue_names
from contract.toml_lines import place_of as place_of_key
from fleetctl.cloud.place import place_of
from fleetctl.controller.policy import Offer, Priority, Route
from fleetctl.fleet_file import FleetFile, operators_problems, read_operator_file
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
    """The fleet that was named, or is chosen here. BadInput tells what is wrong with its machines, too."""
    try:
        return choose_fleet(named, os.environ, Path.cwd())
    except BadInput as error:
        raise BadInput("\n".join([str(error), *_problems_of_machines(named)])) from error


def _problems_of_machines(named: str | None) -> list[str]:
    try:
        path = fleet_path(chosen_name(named, os.environ, Path.cwd()), os.environ, Path.cwd())
    except BadInput:  # no such file, which is told already
        return []
    return operators_problems(path)


def load_operator_file(named: str | None, fleet: Fleet) -> FleetFile:
    """The machines, budget and limits in that fleet's file."""
    name = chosen_name(named, os.environ, Path.cwd())
    return read_operator_file(fleet_path(name, os.environ, Path.cwd()), fleet.name)


def why_too_dear(named: str | None, settings: Settings) -> list[str]:
    """What is wrong with the budget of a fleet file that has other mistakes, as far as it can be read."""
    from fleetctl.launch.check import why_too_dear  # noqa: PLC0415  only after a mistake
    from fleetctl.launch.readable_part import readable_budget, readable_manager, readable_pools  # noqa: PLC0415

    try:
        path = fleet_path(chosen_name(named, os.environ, Path.cwd()), os.environ, Path.cwd())
        content, lines = read_tables(path)
    except BadInput:
        return []
    pools = list(readable_pools(content))
    figures = _price_book(settings, path, readable_manager(content)).look_up(pool.offer for pool in pools)
    usd_per_hour = {offer: figure.value for offer, figure in figures.items() if isinstance(offer, Offer)}
    priced = [pool for pool in pools if pool.offer in usd_per_hour]
    return why_too_dear(priced, readable_budget(content), usd_per_hour, partial(place_of_key, path, lines))


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
    """Prices from Azure's list, from this user's cache, or as shipped; of the Resource Manager that `file` names."""
    return (
        _price_book(settings, file.path, file.azure.resource_manager_url) if file else _price_book(settings)
    )


def _price_book(settings: Settings, path: Path = Path(), resource_manager_url: str = "") -> PriceBook:
    """Where the fleet file in `path` names a Resource Manager on this machine, the laptop cloud's, that one's list
    counts, and is kept beside the file."""
    from contract.azure_clients import is_loopback  # noqa: PLC0415  with the SDK
    from fleetctl.money.first_figures import first_figures  # noqa: PLC0415  with its HTTP client, for few commands
    from fleetctl.money.price_book import PriceBook  # noqa: PLC0415
    from fleetctl.money.retail import RetailPrices  # noqa: PLC0415

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept, price_list = cache / PRICE_FILE, settings.price_list
    if is_loopback(resource_manager_url):
        kept, price_list = path.parent / "prices.json", f"{resource_manager_url}/api/retail/prices"
    fetch = RetailPrices(price_list).fetch if price_list else _no_prices
    return PriceBook(kept, first_figures(), fetch, time.time)


def _no_prices(_wanted: Iterable[Offer | Route]) -> Mapping[Offer | Route, float]:
    from fleetctl.money.retail import NoPrices  # noqa: PLC0415  with its HTTP client, for few commands

    raise NoPrices("no price list is set")


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
    from contract.azure_clients import AzureClients, storage_endpoints  # noqa: PLC0415  see `connect`
    from contract.blob_stores.azure import AzureBlobStore  # noqa: PLC0415

    AzureBlobStore(AzureClients(storage_endpoints(fleet))).ensure()
    connect(fleet, settings).queues.ensure()


def connect(fleet: Fleet, settings: Settings) -> Storage:
    """The fleet's storage; nothing is asked of it yet."""
    # The SDK takes half a second to load, and `--help`, `drill` and a mistake in the words need no storage.
    from contract.azure_clients import AzureClients, storage_endpoints  # noqa: PLC0415
    from contract.blob_stores.azure import AzureBlobStore  # noqa: PLC0415
    from contract.tile_queues.azure import AzureTileQueue  # noqa: PLC0415

    # Records and artifacts are read at the same time, while a listing goes on.
    clients = AzureClients(storage_endpoints(fleet), connections=2 * settings.connections + 2)
    names = queue_names(fleet.name)
    queues = [AzureTileQueue(clients, name) for name in (names.tiles, names.urgent, names.poison)]
    return Storage(AzureBlobStore(clients), FleetQueues(*queues))
