"""Each port, in each of its implementations, behind one interface that a test can use."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from contract.azure_clients import AzureClients, StorageEndpoints
from contract.blob_store import BlobStore
from contract.blob_stores.azure import AzureBlobStore
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.tile_queue import TileQueue
from contract.tile_queues.azure import AzureTileQueue
from contract.tile_queues.simulated import SimulatedQueues

IMPLEMENTATIONS = ["simulated", "azure"]


@dataclass
class Queues:
    """Makes queues; a second client of the same queue has state of its own."""

    make: Callable[[str], TileQueue]

    def fresh(self) -> TileQueue:
        queue = self.make(f"port-{uuid.uuid4().hex[:12]}")
        queue.ensure()
        return queue


@pytest.fixture(params=IMPLEMENTATIONS)
def queues(request: pytest.FixtureRequest) -> Queues:
    if request.param == "simulated":
        return Queues(SimulatedQueues().queue)
    clients = AzureClients(request.getfixturevalue("storage"))
    return Queues(lambda name: AzureTileQueue(clients, name))


@pytest.fixture
def queue(queues: Queues) -> TileQueue:
    """One empty queue that exists."""
    return queues.fresh()


@pytest.fixture(params=IMPLEMENTATIONS)
def stores(request: pytest.FixtureRequest) -> tuple[BlobStore, BlobStore]:
    """Two clients of one empty container."""
    if request.param == "simulated":
        container = SimulatedContainer()
        return SimulatedBlobStore(container), SimulatedBlobStore(container)
    endpoints: StorageEndpoints = request.getfixturevalue("storage")
    own = replace(endpoints, container=f"port-{uuid.uuid4().hex[:12]}")
    first, second = AzureBlobStore(AzureClients(own)), AzureBlobStore(AzureClients(own))
    first.ensure()
    return first, second


@pytest.fixture
def store(stores: tuple[BlobStore, BlobStore]) -> BlobStore:
    return stores[0]
