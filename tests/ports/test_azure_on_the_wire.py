"""What the Azure adapters alone promise: what they send, how long they try, and what their errors say."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from azure.core.credentials import AccessToken

from contract.azure_clients import (
    EMULATOR_API_VERSION,
    READ_TIMEOUT_SECONDS,
    RETRIES,
    AzureClients,
    StorageEndpoints,
    backoff_seconds,
    is_loopback,
    storage_endpoints,
)
from contract.azure_errors import kind_of_answer
from contract.blob_stores.azure import AzureBlobStore
from contract.errors import (
    AlreadyExists,
    BadInput,
    Changed,
    LeaseLost,
    NotAllowed,
    NotFound,
    StorageError,
    StorageUnavailable,
)
from contract.fleet import Fleet
from contract.tile_queues.azure import AzureTileQueue
from laptop_cloud import processes

OTHER_KEY = "bm90IHRoZSBhY2NvdW50J3Mga2V5"


@pytest.fixture
def queue(storage):
    queue = AzureTileQueue(AzureClients(storage), f"wire-{uuid.uuid4().hex[:12]}")
    queue.ensure()
    return queue


def sdk_client(storage, queue):
    return AzureClients(storage).queue(queue.name)


def test_a_message_never_expires(storage, queue):
    queue.send("one")
    (held,) = queue.receive(1, 60)
    queue.renew(held, 0, body="again")
    queue.send_many(["two"])
    expiries = [message.expires_on.year for message in sdk_client(storage, queue).peek_messages(5)]
    assert expiries == [9999, 9999]


def test_a_body_that_the_emulator_cannot_return_is_reported_and_not_an_empty_queue(storage, queue):
    # The adapter refuses to send this, so a foreign client does.
    sdk_client(storage, queue).send_message("a\x01b")
    with pytest.raises(StorageUnavailable, match=f"queue {queue.name}.*control characters"):
        queue.receive(1, 60)


def test_receiving_asks_once_however_many_messages_wait(storage):
    clients = AzureClients(storage)
    queue = AzureTileQueue(clients, f"wire-{uuid.uuid4().hex[:12]}")
    queue.ensure()
    queue.send_many([f"m{i}" for i in range(8)])
    assert len(queue.receive(3, 60)) == 3
    assert len(queue.receive(32, 60)) == 5


@pytest.mark.parametrize("key", [OTHER_KEY, "not base64!"])
def test_a_wrong_key_is_not_allowed_and_is_never_shown(storage, key):
    wrong = replace(storage, credential=key)
    clients = AzureClients(wrong)
    attempts = [
        AzureTileQueue(clients, "wire-tiles").depth,
        lambda: AzureBlobStore(clients).read("a"),
        lambda: list(AzureBlobStore(clients).names("")),
        AzureBlobStore(clients).ensure,
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed, match="check the credential") as caught:
            attempt()
        assert key not in str(caught.value)
    assert key not in repr(wrong)


def test_a_container_that_was_never_made_is_not_found(storage):
    store = AzureBlobStore(AzureClients(replace(storage, container="never-made")))
    for attempt in (lambda: store.put("a", b""), lambda: list(store.listing(""))):
        with pytest.raises(NotFound, match="ContainerNotFound"):
            attempt()


def test_a_service_that_is_away_is_unavailable_after_a_few_short_tries():
    url = f"http://127.0.0.1:{processes.free_port()}/devstoreaccount1"
    clients = AzureClients(StorageEndpoints(url, url, "tests", OTHER_KEY))
    with pytest.raises(
        StorageUnavailable, match=r"sending to queue wire-tiles: 127.0.0.1:\d+ refuses connections;"
    ):
        AzureTileQueue(clients, "wire-tiles").send("x")


def test_all_pauses_of_a_call_together_are_shorter_than_an_eviction_notice():
    longest = sum(backoff_seconds(retry, jitter=1.0) for retry in range(RETRIES))
    assert longest < 5
    assert longest + READ_TIMEOUT_SECONDS < 30


def test_only_this_machine_is_taken_for_the_emulator(storage):
    assert is_loopback("http://127.0.0.1:10000/devstoreaccount1")
    assert is_loopback("http://localhost:10000/devstoreaccount1")
    assert not is_loopback("https://account.blob.core.windows.net")
    assert AzureClients(storage).container().api_version == EMULATOR_API_VERSION
    assert AzureClients(storage).queue("abc").api_version == EMULATOR_API_VERSION
    real = StorageEndpoints(
        "https://a.queue.core.windows.net", "https://a.blob.core.windows.net", "tests", OTHER_KEY
    )
    assert AzureClients(real).container().api_version > EMULATOR_API_VERSION


class AnyToken:
    def get_token(self, *scopes, **_options):
        return AccessToken("secret", 2**31)


def test_a_token_is_never_sent_over_plain_http():
    url = "http://storage.example/account"
    clients = AzureClients(StorageEndpoints(url, url, "tests", AnyToken()))
    for make in (clients.container, lambda: clients.queue("tiles")):
        with pytest.raises(BadInput, match=r"storage\.example.*HTTPS"):
            make()


def test_a_fleet_on_this_machine_needs_no_key_and_a_given_key_is_taken(azurite):
    fleet = Fleet("laptop", "laptop", "here", azurite.queue_url, azurite.blob_url, "tests")
    assert storage_endpoints(fleet).credential == azurite.account_key
    assert storage_endpoints(replace(fleet, storage_key=OTHER_KEY)).credential == OTHER_KEY
    assert OTHER_KEY not in repr(storage_endpoints(replace(fleet, storage_key=OTHER_KEY)))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "PopReceiptMismatch", LeaseLost),
        (404, "MessageNotFound", LeaseLost),
        (404, "QueueNotFound", NotFound),
        (404, "BlobNotFound", NotFound),
        (401, "InvalidAuthenticationInfo", NotAllowed),
        (403, "AuthorizationPermissionMismatch", NotAllowed),
        (409, "BlobAlreadyExists", AlreadyExists),
        (409, "LeaseAlreadyPresent", AlreadyExists),
        (409, "LeaseIdMismatchWithLeaseOperation", Changed),
        (409, "QueueBeingDeleted", StorageUnavailable),
        (409, "BlockCountExceedsLimit", StorageError),
        (412, "ConditionNotMet", Changed),
        (412, "AppendPositionConditionNotMet", Changed),
        (413, "RequestBodyTooLarge", StorageError),
        (429, "", StorageUnavailable),
        (500, "OperationTimedOut", StorageUnavailable),
        (503, "ServerBusy", StorageUnavailable),
        (200, "", StorageUnavailable),
    ],
)
def test_answers_become_errors_by_what_to_do_next(status, code, kind):
    assert kind_of_answer(status, code) is kind
