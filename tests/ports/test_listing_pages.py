"""Listings of more than one page, as the service gives them: compared with the SDK's own reading of them."""

from __future__ import annotations

import pytest

from benchmarks import container_stand_in
from contract.azure_clients import EMULATOR_ACCOUNT_KEY, AzureClients, StorageEndpoints
from contract.blob_stores.azure import AzureBlobStore

TILES = 1100
"""5,500 blobs, two pages."""


@pytest.fixture(scope="module")
def clients():
    with container_stand_in.running(TILES, wrong=3) as url:
        yield AzureClients(StorageEndpoints(url, url, "standin", EMULATOR_ACCOUNT_KEY))


@pytest.mark.slow  # the SDK's own reading is
def test_every_blob_of_every_page_is_what_the_sdk_reads(clients):
    ours = list(AzureBlobStore(clients).listing(container_stand_in.ROOT, with_metadata=True))
    theirs = list(
        clients.container().list_blobs(name_starts_with=container_stand_in.ROOT, include=["metadata"])
    )
    assert len(ours) == 5 * TILES - 1  # one of the three damaged tiles misses an artifact
    for our, their in zip(ours, theirs, strict=True):
        assert (our.name, our.length, our.etag) == (their.name, their.size, f'"{their.etag}"')
        assert (our.modified, our.metadata) == (their.last_modified, their.metadata)
        assert our.md5 == bytes(their.content_settings.content_md5)


def test_a_listing_that_is_dropped_half_way_leaves_nothing_behind(clients):
    listing = AzureBlobStore(clients).listing(container_stand_in.ROOT)
    first = next(listing)
    listing.close()
    assert first.name.startswith(f"{container_stand_in.ROOT}commits/")
