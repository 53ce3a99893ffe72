"""Giving a tile up, so that nothing is deleted unseen: blob, then pointer, then delete (design section 3)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import AlreadyExists
from contract.fleet_queues import FleetQueues
from contract.json_text import to_bytes, to_text
from contract.log_lines import hide_secrets
from contract.tile_message import TileMessage
from contract.tile_queue import Received

VERSION = 1
MAX_LOG_LINES = 40
MAX_LINE_CHARACTERS = 500


def poison_tile(
    store: BlobStore,
    queues: FleetQueues,
    held: Received,
    message: TileMessage,
    *,
    cause: str,
    reason: str,
    log_lines: Sequence[str] = (),
) -> str:
    """Poison a tile and return its entry's name. A crash between two steps leads to a harmless repeat."""
    name = artifact_names.poison(message.dataset, message.tile)
    entry = {
        "job": message.job,
        "dataset": message.dataset,
        "tile": message.tile.name,
        "generation": message.generation,
        "attempts": [[p.attempt, p.worker, p.cause.value, p.reason] for p in message.past],
        "tries": {cause.value: n for cause, n in message.tries.items()},
        "harmed_workers": list(message.harmed),
        "log_lines": [_presentable(line) for line in log_lines[-MAX_LOG_LINES:]],
    }
    _bury(store, queues, held, name, {**entry, "cause": cause, "reason": _presentable(reason)})
    return name


def poison_foreign(store: BlobStore, queues: FleetQueues, held: Received, reason: str) -> str:
    """Poison a message that is not ours, whatever its bytes."""
    raw = held.body.encode("utf-8", "surrogatepass")
    name = artifact_names.poison_foreign(hashlib.sha256(raw).hexdigest())
    _bury(store, queues, held, name, {"cause": "foreign", "reason": reason})
    return name


def _presentable(line: str) -> str:
    """Short, and without a signature that some library put into its complaint."""
    return str(hide_secrets(None, "", {"line": line})["line"])[:MAX_LINE_CHARACTERS]


def _bury(store: BlobStore, queues: FleetQueues, held: Received, name: str, entry: dict[str, Any]) -> None:
    raw = held.body.encode("utf-8", "surrogatepass")
    record = {
        "v": VERSION,
        **entry,
        "raw_base64": base64.b64encode(raw).decode("ascii"),
        "queue": held.queue_name,
        "delivery_count": held.delivery_count,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with suppress(
        AlreadyExists
    ):  # a repeat after a crash, or the same tile from a second job: one entry serves both
        store.create(name, to_bytes(record))
    queues.move_to_poison(held, to_text({"v": VERSION, "poison": name}))
