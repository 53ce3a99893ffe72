"""The one place that reads the environment and names the real storage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from contract.fleet import Fleet, choose_fleet
from contract.fleet_queues import FleetQueues
from contract.queue_names import queue_names
from producer.settings import Settings

if TYPE_CHECKING:
    from producer.enqueue import Storage


def load_settings() -> Settings:
    """The settings of this process's environment."""
    return Settings.from_env(os.environ)


def load_fleet(named: str | None) -> Fleet:
    """The fleet that was named, or is chosen here."""
    return choose_fleet(named, os.environ, Path.cwd())


@contextmanager
def connected(fleet: Fleet, settings: Settings) -> Iterator[Storage]:
    """The fleet's storage; nothing is asked of it yet. The sending processes end with the block."""
    # The SDK takes half a second to load, which `tiles` and a mistake in the words need not.
    from contract.azure_clients import AzureClients, storage_endpoints  # noqa: PLC0415
    from contract.blob_stores.azure import AzureBlobStore  # noqa: PLC0415
    from contract.tile_queues.azure import AzureTileQueue  # noqa: PLC0415
    from producer.bulk_queue import Authority, BulkTileQueue, SenderPool  # noqa: PLC0415
    from producer.enqueue import Storage  # noqa: PLC0415

    endpoints = storage_endpoints(fleet)
    clients = AzureClients(endpoints)
    names = queue_names(fleet.name)
    authority = Authority(endpoints.credential)
    with SenderPool(settings.processes, settings.connections) as pool:

        def bulk(name: str) -> BulkTileQueue:
            return BulkTileQueue(AzureTileQueue(clients, name), endpoints.queue_url, authority, pool)

        yield Storage(
            AzureBlobStore(clients),
            FleetQueues(bulk(names.tiles), bulk(names.urgent), AzureTileQueue(clients, names.poison)),
        )
