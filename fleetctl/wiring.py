"""The one place that reads the environment and names the real storage."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from contract.azure_clients import AzureClients, storage_endpoints
from contract.blob_store import BlobStore
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import Fleet, choose_fleet
from contract.fleet_queues import FleetQueues
from contract.queue_names import queue_names
from contract.tile_queues.azure import AzureTileQueue
from fleetctl.settings import Settings


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


def connect(fleet: Fleet, settings: Settings) -> Storage:
    """The fleet's storage; nothing is asked of it yet."""
    # Records and artifacts are read at the same time, while a listing goes on.
    clients = AzureClients(storage_endpoints(fleet), connections=2 * settings.connections + 2)
    names = queue_names(fleet.name)
    queues = [AzureTileQueue(clients, name) for name in (names.tiles, names.urgent, names.poison)]
    return Storage(AzureBlobStore(clients), FleetQueues(*queues))
