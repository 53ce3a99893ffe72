"""TileQueue on Azure Queue Storage, or its emulator, through the real SDK."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.queue import QueueMessage

from contract.azure_clients import AzureClients
from contract.azure_errors import error_code, translated
from contract.errors import StorageUnavailable
from contract.queue_limits import check_batch, check_body, check_lease
from contract.tile_queue import Received

NEVER_EXPIRES = -1  # the service's default is seven days
SENDER_THREADS = 8
# A receive that reached the service hides its messages whether or not we get the answer: a second one would
# hide others, and after the emulator's 500 (below) it would say that the queue is empty.
_UNLESS_IT_ARRIVED = {"retry_read": 0, "retry_status": 0}


class AzureTileQueue:
    """One queue of the account."""

    def __init__(self, clients: AzureClients, name: str) -> None:
        self._name = name
        self._client = clients.queue(name)

    @property
    def name(self) -> str:
        return self._name

    def ensure(self) -> None:
        with translated("creating", self._label):
            try:
                self._client.create_queue()
            except ResourceExistsError as error:
                # The SDK raises this also for the 204 that means "there is one already, just like this".
                if error.status_code != 204 and error_code(error) != "QueueAlreadyExists":
                    raise

    def send(self, body: str, *, hidden_seconds: int = 0) -> None:
        check_body(body)
        with translated("sending to", self._label):
            self._client.send_message(body, visibility_timeout=hidden_seconds, time_to_live=NEVER_EXPIRES)

    def send_many(self, bodies: Sequence[str]) -> None:
        with ThreadPoolExecutor(SENDER_THREADS, thread_name_prefix=f"send-{self._name}") as pool:
            for _ in pool.map(self.send, bodies):
                pass

    def receive(self, count: int, lease_seconds: int) -> list[Received]:
        check_batch(count)
        check_lease(lease_seconds, minimum=1)
        with translated("receiving from", self._label):
            try:
                # The first page is one request; iterating on would drain the queue.
                pages = self._client.receive_messages(
                    messages_per_page=count, visibility_timeout=lease_seconds, **_UNLESS_IT_ARRIVED
                ).by_page()
                return [self._received(message) for message in next(pages, ())]
            except HttpResponseError as error:
                if error.status_code in {200, 500}:
                    raise StorageUnavailable(
                        f"receiving from {self._label}: {error.status_code} {error_code(error)}".rstrip()
                        + "; a message in it may hold control characters, which the storage emulator "
                        "cannot return: if this goes on, clear that queue"
                    ) from error
                raise

    def renew(self, held: Received, lease_seconds: int, *, body: str | None = None) -> Received:
        check_lease(lease_seconds, minimum=0)
        if body is not None:
            check_body(body)
        with translated("renewing a message of", self._label):
            # By id, not by message object: that would send the body again.
            updated = self._client.update_message(
                held.message_id, held.receipt, content=body, visibility_timeout=lease_seconds
            )
        return replace(held, receipt=str(updated.pop_receipt), body=held.body if body is None else body)

    def complete(self, held: Received) -> None:
        with translated("deleting a message of", self._label):
            self._client.delete_message(held.message_id, held.receipt)

    def clear(self) -> None:
        with translated("clearing", self._label):
            self._client.clear_messages()

    def depth(self) -> int:
        with translated("counting", self._label):
            return self._client.get_queue_properties().approximate_message_count or 0

    @property
    def _label(self) -> str:
        return f"queue {self._name}"

    def _received(self, message: QueueMessage) -> Received:
        return Received(
            message_id=message.id,
            body=str(message.content or ""),
            receipt=str(message.pop_receipt),
            delivery_count=int(message.dequeue_count or 1),
            queue_name=self._name,
        )
