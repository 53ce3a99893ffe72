"""The one place that reads the environment and names the real storage."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_store import BlobStore
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import Fleet, choose_fleet, chosen_name, fleet_path
from contract.fleet_queues import FleetQueues
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue
from fleetctl.cloud.place import place_of
from fleetctl.fleet_file import FleetFile, read_operator_file
from fleetctl.settings import Settings

if TYPE_CHECKING:
    from fleetctl.cloud.azure import AzureMachines


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


def connect(fleet: Fleet, settings: Settings) -> Storage:
    """The fleet's storage; nothing is asked of it yet."""
    # Records and artifacts are read at the same time, while a listing goes on.
    clients = AzureClients(storage_endpoints(fleet), connections=2 * settings.connections + 2)
    names = queue_names(fleet.name)
    queues = [AzureTileQueue(clients, name) for name in (names.tiles, names.urgent, names.poison)]
    return Storage(AzureBlobStore(clients), FleetQueues(*queues))
