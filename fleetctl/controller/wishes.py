"""What a person wants of a machine, or of the whole fleet: small blobs that the controller reads at every tick.

Not the controller's own record: that one has one writer. Each wish is a blob of its own, so that two people
never overwrite each other, and the controller forgets exactly the one that it has taken up.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

from contract import artifact_names
from contract.blob_store import BlobInfo, BlobStore
from contract.drain import VM_NAME
from contract.errors import BadInput
from fleetctl.controller.wish import Wish, WishSeen

WHOLE_FLEET = "fleet"
"""Stands where a machine's name would; none of ours is called so, since theirs end with a number."""
MAX_REASON_CHARACTERS = 200


def ask(store: BlobStore, vm: str, wish: Wish, *, reason: str) -> str:
    """Leave a wish for the next tick; returns its blob's name. BadInput for what names no machine."""
    if not VM_NAME.fullmatch(vm):
        raise BadInput(f"{vm[:60]!r} cannot name a machine: `fleetctl plan` and `status` show their names")
    blob = artifact_names.wish(vm, uuid.uuid4().hex[:12])
    store.put(blob, b"", metadata={"wish": wish.value, "reason": json.dumps(reason[:MAX_REASON_CHARACTERS])})
    return blob


def ask_again(store: BlobStore, *, reason: str) -> None:
    """Have starts tried again where something had to be mended, at the next tick instead of half an hour later."""
    ask(store, WHOLE_FLEET, Wish.UP, reason=reason)


def take_down(store: BlobStore, *, reason: str) -> None:
    """Let the whole fleet go; stands until `lift_down`. Asked twice, it stands once."""
    blob = artifact_names.wish(WHOLE_FLEET, Wish.DOWN.value)
    store.put(
        blob, b"", metadata={"wish": Wish.DOWN.value, "reason": json.dumps(reason[:MAX_REASON_CHARACTERS])}
    )


def lift_down(store: BlobStore) -> bool:
    """Let the fleet work again; False when nobody had taken it down."""
    return store.delete(artifact_names.wish(WHOLE_FLEET, Wish.DOWN.value))


def read_wishes(store: BlobStore) -> tuple[WishSeen, ...]:
    """All that stand, the oldest first, by one listing. What is none is passed over: a newer fleetctl's, perhaps."""
    infos = store.listing(artifact_names.WISHES_PREFIX, with_metadata=True)
    return tuple(sorted(_wishes(infos), key=lambda seen: (seen.asked, seen.blob)))


def _wishes(infos: Iterator[BlobInfo]) -> Iterator[WishSeen]:
    for info in infos:
        vm = info.name.removeprefix(artifact_names.WISHES_PREFIX).partition("/")[0]
        try:
            wish = Wish(info.metadata.get("wish", ""))
            reason = str(json.loads(info.metadata.get("reason", '""')))
        except ValueError:
            continue
        yield WishSeen(info.name, vm, wish, reason, info.modified.timestamp())
