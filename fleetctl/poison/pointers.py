"""The poison queue's messages: each points to an entry, so that the queue's depth says that something waits.

They decide nothing: readers list the entries. A pointer may be missing (its worker died before the put) or be
there twice. Whoever decided about entries clears the pointers that are settled; nobody else touches the queue.
"""

from __future__ import annotations

from contextlib import suppress

from contract.blob_store import BlobStore
from contract.errors import BadInput, LeaseLost
from contract.json_text import parse_object
from contract.poison_entry import is_entry_name
from contract.tile_queue import MAX_BATCH, Received, TileQueue
from fleetctl.ahead import read_ahead
from fleetctl.poison.entries import EntryState, find_entry

LEASE_SECONDS = 60
"""Hides what was looked at from the rest of the sweep; what stays is shown again at its end."""


def clear_pointers(store: BlobStore, queue: TileQueue, connections: int) -> int:
    """Delete the pointers to entries that are gone, dropped or resolved; how many. One sweep, in bounded time:
    pointers that are held elsewhere or come meanwhile are left to the next one."""
    left, cleared = queue.depth(), 0
    staying: list[Received] = []
    while left > 0 and (held := queue.receive(MAX_BATCH, LEASE_SECONDS)):
        left -= len(held)
        for one, is_settled in read_ahead(lambda one: _is_settled(store, one.body), held, connections):
            if is_settled:
                cleared += _delete(queue, one)
            else:
                staying.append(one)
    for one in staying:
        with suppress(LeaseLost):
            queue.renew(one, 0)
    return cleared


def _delete(queue: TileQueue, held: Received) -> bool:
    try:
        queue.complete(held)
    except LeaseLost:
        return False
    return True


def _is_settled(store: BlobStore, body: str) -> bool:
    try:
        name = parse_object(body, "the pointer").get("poison")
    except BadInput:
        return False  # not ours: somebody should look at it
    if not isinstance(name, str) or not is_entry_name(name):
        return False
    found = find_entry(store, name)
    return found is None or found.state in {EntryState.DROPPED, EntryState.RESOLVED}
