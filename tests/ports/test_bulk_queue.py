"""Every promise of TileQueue, kept by the bulk sender: the suite of the port, with all sending in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from contract.azure_clients import AzureClients, StorageEndpoints
from contract.errors import NotAllowed, NotFound, StorageUnavailable
from contract.tile_queues.azure import AzureTileQueue
from producer.bulk_queue import Authority, BulkTileQueue, SenderPool
from tests.ports.conftest import Queues
from tests.ports.test_tile_queue import *  # noqa: F403 - the suite itself


class InBulk(BulkTileQueue):
    """Sends single messages in bulk, too, so that the whole suite goes that way."""

    def send(self, body: str, *, hidden_seconds: int = 0) -> None:
        if hidden_seconds:
            super().send(body, hidden_seconds=hidden_seconds)
        else:
            self.send_many([body])


@pytest.fixture(scope="module")
def pool() -> Iterator[SenderPool]:
    with SenderPool(processes=2, connections=4) as pool:
        yield pool


def bulk(storage: StorageEndpoints, pool: SenderPool, name: str, **changes: str) -> InBulk:
    sdk = AzureTileQueue(AzureClients(storage), name)
    url = changes.get("queue_url", storage.queue_url)
    authority = Authority(changes.get("key", str(storage.credential)))
    return InBulk(sdk, url, authority, pool, few_bodies=0)


@pytest.fixture
def queues(storage: StorageEndpoints, pool: SenderPool) -> Queues:
    return Queues(partial(bulk, storage, pool))


def bodies_of(queue: BulkTileQueue) -> list[str]:
    found: list[str] = []
    while held := queue.receive(32, 300):
        found += [message.body for message in held]
    return found


def test_a_thousand_bodies_arrive_once_each(queue):
    bodies = [f"body {number}" for number in range(1000)]
    queue.send_many(bodies)
    assert sorted(bodies_of(queue)) == sorted(bodies)


def test_carriage_returns_survive_the_xml(queue):
    queue.send_many(["a\r\nb\rc"])
    assert bodies_of(queue) == ["a\r\nb\rc"]


def test_sent_in_bulk_a_message_never_expires(queue, storage):
    queue.send_many(["one"])
    (message,) = AzureClients(storage).queue(queue.name).peek_messages()
    assert message.expires_on.year == 9999


def test_a_wrong_key_is_not_allowed(queue, storage, pool):
    wrong = bulk(storage, pool, queue.name, key="d3Jvbmc=")
    with pytest.raises(NotAllowed, match=f"queue {queue.name}: 403"):
        wrong.send_many(["one"])


def test_a_missing_queue_is_not_found_in_bulk(queues):
    with pytest.raises(NotFound, match="port-never-made-bulk"):
        queues.make("port-never-made-bulk").send_many(["one"] * 100)


@pytest.mark.slow  # it retries for six seconds
def test_no_answer_is_unavailable_and_the_pool_goes_on(queue, storage, pool):
    nowhere = bulk(storage, pool, queue.name, queue_url="http://127.0.0.1:9/devstoreaccount1")
    with pytest.raises(StorageUnavailable, match="no answer"):
        nowhere.send_many(["one"])
    queue.send_many(["two"])
    assert bodies_of(queue) == ["two"]


def test_a_killed_sending_process_is_unavailable_and_the_next_batch_starts_another(queue, storage):
    with SenderPool(processes=1, connections=1) as own:
        mine: Sequence[str] = ["one"]
        sender = bulk(storage, own, queue.name)
        sender.send_many(mine)
        process, _ = own._senders[0]
        process.kill()
        process.join()
        with pytest.raises(StorageUnavailable, match="sending process"):
            sender.send_many(mine)
        sender.send_many(mine)
    assert bodies_of(queue) == ["one", "one"]
