"""The promises of one storage queue: at least once, in no promised order, leased by a pop receipt.

Every method may raise StorageUnavailable (after the adapter's own short retries), NotAllowed and
NotFound (no such queue). Implementations: `tile_queues/azure.py` and `tile_queues/simulated.py`.
What the programs do with three such queues is in `fleet_queues.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_BATCH = 32
"""Messages per receive."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that we hold, under the newest receipt: every renewal makes a new one."""

    message_id: str
    body: str
    """As sent; the codec judges it."""
    receipt: str
    delivery_count: int
    """1 at the first delivery; rises with every receive, also after a crash of the receiver."""
    queue_name: str


class TileQueue(Protocol):
    """One queue."""

    @property
    def name(self) -> str: ...

    def ensure(self) -> None:
        """Make the queue if there is none. A second call does nothing."""
        ...

    def send(self, body: str, *, hidden_seconds: int = 0) -> None:
        """Put a message that never expires. A retry after a lost answer may put it twice."""
        ...

    def send_many(self, bodies: Sequence[str]) -> None:
        """Put them all, in any order; on an error some were put."""
        ...

    def receive(self, count: int, lease_seconds: int) -> list[Received]:
        """Up to `count` (at most 32) visible messages, hidden from others for `lease_seconds`."""
        ...

    def renew(self, held: Received, lease_seconds: int, *, body: str | None = None) -> Received:
        """Hide it for `lease_seconds` from now (0: visible at once), with a new body if one is given.
        The answer has the receipt that counts from now on. LeaseLost when ours no longer does."""
        ...

    def complete(self, held: Received) -> None:
        """Delete it. LeaseLost when the receipt is not the newest or the message is gone;
        after an unanswered first try of ours that is no news, and no harm."""
        ...

    def clear(self) -> None:
        """Delete every message, those that somebody holds too: for a queue that nobody else puts anything on."""
        ...

    def depth(self) -> int:
        """About how many messages there are, the invisible ones included; never fewer than there are."""
        ...
