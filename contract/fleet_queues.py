"""What the programs do with a fleet's three queues: urgent first, returns in one update, moves that never lose.

Pure protocol over TileQueue, so that it runs the same on Azure and in simulation. LeaseLost from any
of these means that somebody else has the message: nothing was done and nothing must be done.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.errors import StorageError
from contract.tile_queue import MAX_BATCH, Received, TileQueue

MOVE_SECONDS = 20
"""Hides a message while it moves to another queue: longer than a put with its retries takes."""


@dataclass(frozen=True, slots=True)
class FleetQueues:
    """The queues of one fleet."""

    tiles: TileQueue
    urgent: TileQueue
    poison: TileQueue

    def ensure(self) -> None:
        """Make those that are missing."""
        for queue in (self.tiles, self.urgent, self.poison):
            queue.ensure()

    def receive(self, count: int, lease_seconds: int) -> list[Received]:
        """Up to `count` messages, the urgent ones before the others."""
        count = min(count, MAX_BATCH)
        held = self.urgent.receive(count, lease_seconds)
        if len(held) < count:
            try:
                held += self.tiles.receive(count - len(held), lease_seconds)
            except StorageError:
                if not held:
                    raise
        return held

    def renew(self, held: Received, lease_seconds: int, *, body: str | None = None) -> Received:
        """Hold it for `lease_seconds` from now, under the receipt of the answer."""
        return self._home(held).renew(held, lease_seconds, body=body)

    def complete(self, held: Received) -> None:
        """Delete it."""
        self._home(held).complete(held)

    def give_back(self, held: Received, body: str, hidden_seconds: int) -> None:
        """Return it to its own queue: one update with new content and visibility."""
        self._home(held).renew(held, hidden_seconds, body=body)

    def move_to_urgent(self, held: Received, *, body_if_left: str, body_moved: str) -> None:
        """Return it in front of everything else.

        The update proves the lease; a crash after it leaves the message where it was, with its
        totals, visible within MOVE_SECONDS; a crash after the put leaves two messages for one tile,
        which the commit makes harmless.
        """
        if held.queue_name == self.urgent.name:
            self.give_back(held, body_if_left, 0)
            return
        proven = self._home(held).renew(held, MOVE_SECONDS, body=body_if_left)
        try:
            self.urgent.send(body_moved)
        except StorageError:
            self._home(held).renew(proven, 0)
            raise
        self._home(held).complete(proven)

    def move_to_poison(self, held: Received, pointer: str) -> None:
        """Put the pointer, then delete: the blob it points to is there already."""
        self.poison.send(pointer)
        self._home(held).complete(held)

    def _home(self, held: Received) -> TileQueue:
        return self.urgent if held.queue_name == self.urgent.name else self.tiles
